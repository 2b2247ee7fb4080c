#include "cJSON.h"

#include "shared.h"

struct cJSON {
    const char *brackets; /* of an object or an array; none of a number or a text */
    const char *name; /* that lives as long as it does */
    char *text, *number;
    cJSON *first, *last, *next;
};

static cJSON *create(const char *brackets)
{
    cJSON *item = must(calloc(1, sizeof(*item)));

    item->brackets = brackets;
    return item;
}

cJSON *cJSON_CreateObject(void) { return create("{}"); }

cJSON *cJSON_CreateArray(void) { return create("[]"); }

cJSON *cJSON_CreateString(const char *text)
{
    cJSON *item = create(NULL);

    item->text = must(strdup(text));
    return item;
}

cJSON_bool cJSON_AddItemToArray(cJSON *array, cJSON *item)
{
    *(array->last != NULL ? &array->last->next : &array->first) = item;
    array->last = item;
    return 1;
}

cJSON_bool cJSON_AddItemToObject(cJSON *object, const char *name, cJSON *item)
{
    item->name = name;
    return cJSON_AddItemToArray(object, item);
}

cJSON *cJSON_AddStringToObject(cJSON *object, const char *name, const char *text)
{
    cJSON *item = cJSON_CreateString(text);

    cJSON_AddItemToObject(object, name, item);
    return item;
}

cJSON *cJSON_AddNumberToObject(cJSON *object, const char *name, double number)
{
    cJSON *item = create(NULL);

    if (asprintf(&item->number, "%.15g", number) < 0) {
        fail("no memory");
    }
    cJSON_AddItemToObject(object, name, item);
    return item;
}

cJSON *cJSON_GetObjectItem(const cJSON *object, const char *name)
{
    cJSON *item = object->first;

    while (item != NULL && strcmp(item->name, name) != 0) {
        item = item->next;
    }
    return item;
}

/* Bytes that are no UTF-8 are copied as OSSEC does, which shows whether the image's shim is there. */
static void print_text(FILE *out, const char *text)
{
    putc('"', out);
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ') {
            fprintf(out, "\\u%04x", (unsigned)*text);
        } else {
            fprintf(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
        }
    }
    putc('"', out);
}

static void print(FILE *out, const cJSON *item)
{
    if (item->text != NULL) {
        print_text(out, item->text);
    } else if (item->number != NULL) {
        fputs(item->number, out);
    }
    if (item->brackets == NULL) {
        return;
    }
    putc(item->brackets[0], out);
    for (const cJSON *child = item->first; child != NULL; child = child->next) {
        if (child != item->first) {
            putc(',', out);
        }
        if (child->name != NULL) {
            print_text(out, child->name);
            putc(':', out);
        }
        print(out, child);
    }
    putc(item->brackets[1], out);
}

char *cJSON_PrintUnformatted(const cJSON *item)
{
    char *text = NULL;
    size_t length;
    FILE *out = must(open_memstream(&text, &length));

    print(out, item);
    if (fclose(out) != 0) {
        fail("an alert cannot be written: %s", strerror(errno));
    }
    return text;
}

void cJSON_Delete(cJSON *item)
{
    while (item->first != NULL) {
        cJSON *child = item->first;

        item->first = child->next;
        cJSON_Delete(child);
    }
    free(item->text);
    free(item->number);
    free(item);
}

/* The engine's JSON writers build a tree of cJSON for each alert: three allocations a field, a copy of each text, then the
 * printing, and all of it is taken down again. Here the functions of cJSON that they call write each text at once, as it is
 * printed, into one buffer that stays, and keep only where it stands there. What comes out is byte for byte what the tree
 * gave, but that bytes which are no UTF-8 become U+FFFD each: the engine copies a line's bytes as they came, and cuts texts
 * without looking where a character ends, so that a strict reader would refuse the alert.
 *
 * One root is alive at a time, in one thread, as the engine writes one event after the other. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "shared.h"
#include "cJSON.h"
#include "flush.h"
#include "json_text.h"

enum kind { OBJECT, ARRAY, TEXT };

struct node {
    enum kind kind;
    size_t key, key_length, value, length; /* where they stand in `text`; a key without its colon */
    struct node *first, *last, *next;      /* of an object or an array, what is in it */
    struct node *made;                     /* the one made before it */
};

static char *text;
static size_t used, room;
static struct node *all, *spare; /* by `made` */
static size_t count;

static void *needed(void *memory)
{
    if (memory == NULL) {
        tell("there is no memory for an alert; give the container more");
        _exit(71);
    }
    return memory;
}

static struct node *node_of(const cJSON *item) { return (struct node *)item; }
static cJSON *item_of(struct node *node) { return (cJSON *)node; }

/* Room for that many bytes at the end of the text. */
static char *reserve(size_t bytes)
{
    if (room - used < bytes) {
        room = 2 * room + bytes;
        text = needed(realloc(text, room));
    }
    return text + used;
}

static cJSON *make(enum kind kind)
{
    struct node *node = spare;

    if (node != NULL) {
        spare = node->made;
    } else {
        node = needed(malloc(sizeof(*node)));
    }
    *node = (struct node){.kind = kind, .made = all};
    all = node;
    count++;
    return item_of(node);
}

/* At the end of the text, in quotes; its length. */
static size_t put_quoted(const char *from)
{
    size_t length = strlen(from);

    length = json_quoted(reserve(JSON_QUOTED(length)), from, length);
    used += length;
    return length;
}

static void append(struct node *parent, struct node *child)
{
    if (parent->last != NULL) {
        parent->last->next = child;
    } else {
        parent->first = child;
    }
    parent->last = child;
}

cJSON *__wrap_cJSON_CreateObject(void) { return make(OBJECT); }
cJSON *__wrap_cJSON_CreateArray(void) { return make(ARRAY); }

cJSON *__wrap_cJSON_CreateString(const char *string)
{
    struct node *node;

    if (string == NULL) {
        return NULL;
    }
    node = node_of(make(TEXT));
    node->value = used;
    node->length = put_quoted(string);
    return item_of(node);
}

static cJSON *create_number(double number)
{
    struct node *node = node_of(make(TEXT));

    node->value = used;
    node->length = (size_t)json_number(reserve(32), 32, number);
    used += node->length;
    return item_of(node);
}

cJSON_bool __wrap_cJSON_AddItemToArray(cJSON *array, cJSON *item)
{
    if (array == NULL || item == NULL) {
        return 0;
    }
    append(node_of(array), node_of(item));
    return 1;
}

cJSON_bool __wrap_cJSON_AddItemToObject(cJSON *object, const char *name, cJSON *item)
{
    if (object == NULL || name == NULL || item == NULL) {
        return 0;
    }
    node_of(item)->key = used;
    node_of(item)->key_length = put_quoted(name);
    append(node_of(object), node_of(item));
    return 1;
}

cJSON *__wrap_cJSON_AddStringToObject(cJSON *object, const char *name, const char *string)
{
    cJSON *item = __wrap_cJSON_CreateString(string);

    return __wrap_cJSON_AddItemToObject(object, name, item) ? item : NULL;
}

cJSON *__wrap_cJSON_AddNumberToObject(cJSON *object, const char *name, double number)
{
    cJSON *item = create_number(number);

    return __wrap_cJSON_AddItemToObject(object, name, item) ? item : NULL;
}

/* Of names that are printed as they are, in any case of letters, as cJSON has it. */
cJSON *__wrap_cJSON_GetObjectItem(const cJSON *object, const char *name)
{
    struct node *node = object == NULL ? NULL : node_of(object)->first;
    size_t length = strlen(name);

    while (node != NULL && (node->key_length != length + 2 || strncasecmp(text + node->key + 1, name, length) != 0)) {
        node = node->next;
    }
    return item_of(node);
}

cJSON *__wrap_cJSON_GetArrayItem(const cJSON *array, int index)
{
    struct node *node = array == NULL || index < 0 ? NULL : node_of(array)->first;

    while (node != NULL && index-- > 0) {
        node = node->next;
    }
    return item_of(node);
}

int __wrap_cJSON_GetArraySize(const cJSON *array)
{
    int size = 0;

    for (struct node *node = array == NULL ? NULL : node_of(array)->first; node != NULL; node = node->next) {
        size++;
    }
    return size;
}

static char *print(char *to, const struct node *node)
{
    if (node->kind == TEXT) {
        return mempcpy(to, text + node->value, node->length);
    }
    *to++ = node->kind == OBJECT ? '{' : '[';
    for (const struct node *child = node->first; child != NULL; child = child->next) {
        if (child != node->first) {
            *to++ = ',';
        }
        if (node->kind == OBJECT) {
            to = mempcpy(to, text + child->key, child->key_length);
            *to++ = ':';
        }
        to = print(to, child);
    }
    *to++ = node->kind == OBJECT ? '}' : ']';
    return to;
}

/* The engine frees it. */
char *__wrap_cJSON_PrintUnformatted(const cJSON *item)
{
    char *printed = item == NULL ? NULL : malloc(used + 4 * count + 1); /* two brackets, a colon and a comma each */

    if (printed != NULL) {
        *print(printed, node_of(item)) = '\0';
    }
    return printed;
}

/* It is asked for a text alone, which has no other form. */
char *__wrap_cJSON_Print(const cJSON *item) { return __wrap_cJSON_PrintUnformatted(item); }

/* Of the root, and so of all. */
void __wrap_cJSON_Delete(cJSON *root)
{
    if (root == NULL) {
        return;
    }
    while (all != NULL) {
        struct node *node = all;

        all = node->made;
        node->made = spare;
        spare = node;
    }
    used = count = 0;
}

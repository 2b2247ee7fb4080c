#include "json_extended.h"

#include "shared.h"

void cJSON_AddStringToObject(cJSON *object, const char *name, const char *value)
{
    if (value == NULL || *value == '\0') {
        return;
    }
    fprintf(object->out, ",\"%s\":\"", name);
    for (; *value != '\0'; value++) {
        if ((unsigned char)*value < ' ') {
            fprintf(object->out, "\\u%04x", (unsigned)*value);
        } else {
            fprintf(object->out, *value == '"' || *value == '\\' ? "\\%c" : "%c", *value);
        }
    }
    putc('"', object->out);
}

/* Text that begins with "(" is taken for an agent's "(name) address->source". OSSEC looks for the mark without
 * asking whether there is one, and dies; so this dies too, and shows whether the image's shim is there. */
static const char *checked(const char *text, char mark)
{
    if (text != NULL && text[0] == '(' && strchr(text, mark) == NULL) {
        abort();
    }
    return text;
}

void W_ParseJSON(cJSON *root, const Eventinfo *lf)
{
    cJSON_AddStringToObject(root, "agent_name", checked(lf->hostname, '-'));
    cJSON_AddStringToObject(root, "timestamp", lf->moment);
    cJSON_AddStringToObject(root, "logfile", checked(lf->location, '>'));
}

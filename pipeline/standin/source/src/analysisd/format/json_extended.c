#include "json_extended.h"

#include "shared.h"

/* Text that begins with "(" is taken for an agent's "(name) address->source". OSSEC looks for the mark without
 * asking whether there is one, and dies; so this dies too, and shows whether the image's shim is there. */
static void add_checked(cJSON *root, const char *name, const char *text, char mark)
{
    if (text != NULL && text[0] == '(' && strchr(text, mark) == NULL) {
        abort();
    }
    if (text != NULL) {
        cJSON_AddStringToObject(root, name, text);
    }
}

void W_ParseJSON(cJSON *root, const Eventinfo *lf)
{
    cJSON *rule = cJSON_GetObjectItem(root, "rule"), *groups = cJSON_CreateArray();

    add_checked(root, "agent_name", lf->hostname, '-');
    cJSON_AddStringToObject(root, "timestamp", lf->moment);
    add_checked(root, "logfile", lf->location, '>');
    cJSON_AddStringToObject(rule, "group", lf->generated_rule->group);
    cJSON_AddItemToObject(rule, "groups", groups);
    cJSON_AddItemToArray(groups, cJSON_CreateString(lf->generated_rule->group));
}

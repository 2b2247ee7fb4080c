#include "analysisd.h"
#include "json_extended.h"
#include "shared.h"

static void add(cJSON *root, const char *name, const char *text)
{
    if (text != NULL && *text != '\0') {
        cJSON_AddStringToObject(root, name, text);
    }
}

char *Eventinfo_to_jsonstr(const Eventinfo *lf)
{
    const Rule *of = lf->generated_rule;
    cJSON *root = cJSON_CreateObject(), *rule = cJSON_CreateObject();
    char *text;

    cJSON_AddItemToObject(root, "rule", rule);
    cJSON_AddNumberToObject(rule, "level", of->level);
    cJSON_AddStringToObject(rule, "comment", of->comment);
    cJSON_AddNumberToObject(rule, "sidid", of->id);
    if (of->frequency > 0) {
        cJSON_AddNumberToObject(rule, "frequency", of->frequency);
    }
    cJSON_AddNumberToObject(rule, "firedtimes", (double)of->fired);
    add(root, "id", lf->alert_id);
    cJSON_AddNumberToObject(root, "TimeStamp", 1000.0 * (double)lf->time);
    add(root, "decoder", lf->decoder_info->name);
    add(root, "srcip", lf->srcip);
    add(root, "dstuser", lf->dstuser);
    add(root, "location", lf->location);
    add(root, "full_log", lf->full_log);
    add(root, "hostname", lf->hostname);
    add(root, "program_name", lf->program_name);
    W_ParseJSON(root, lf);
    text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    return text;
}

#include "to_json.h"

#include "json_extended.h"
#include "shared.h"

/* Bytes that are no UTF-8 are copied as OSSEC does, which shows whether the image's shim is there. */
char *Eventinfo_to_jsonstr(const Eventinfo *lf)
{
    const Rule *rule = lf->generated_rule;
    char *text = NULL;
    size_t length;
    cJSON root = {open_memstream(&text, &length)};

    if (root.out == NULL) {
        fail("an alert cannot be written: %s", strerror(errno));
    }
    fprintf(root.out, "{\"rule\":{\"level\":%d,\"comment\":\"%s\",\"sidid\":%d,", rule->level, rule->comment, rule->id);
    if (rule->frequency > 0) {
        fprintf(root.out, "\"frequency\":%d,", rule->frequency);
    }
    fprintf(root.out, "\"firedtimes\":%ld,\"group\":\"%s\"},\"id\":\"%s\",\"TimeStamp\":%lld000", rule->fired,
            rule->group, lf->alert_id, (long long)lf->time);
    cJSON_AddStringToObject(&root, "decoder", lf->decoder_info->name);
    cJSON_AddStringToObject(&root, "srcip", lf->srcip);
    cJSON_AddStringToObject(&root, "dstuser", lf->dstuser);
    cJSON_AddStringToObject(&root, "location", lf->location);
    cJSON_AddStringToObject(&root, "full_log", lf->full_log);
    cJSON_AddStringToObject(&root, "hostname", lf->hostname);
    cJSON_AddStringToObject(&root, "program_name", lf->program_name);
    W_ParseJSON(&root, lf);
    putc('}', root.out);
    if (fclose(root.out) != 0) {
        fail("an alert cannot be written: %s", strerror(errno));
    }
    return text;
}

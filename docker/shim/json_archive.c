/* The archive as JSON, where a mounted configuration asks for it, is written by the same functions as an alert (json.c), with
 * the same faults, but it calls them one by one. */
#include "shared.h"
#include "json_extended.h"
#include "json.h"

void __real_W_JSON_ParseHostname(cJSON *root, char *hostname);
void __real_W_JSON_ParseAgentIP(cJSON *root, const Eventinfo *lf);
void __real_W_JSON_ParseLocation(cJSON *root, const Eventinfo *lf, int archives);

void __wrap_W_JSON_ParseHostname(cJSON *root, char *hostname)
{
    if (json_confusing(hostname, "-")) {
        cJSON_AddStringToObject(root, "agent_name", hostname);
    } else {
        __real_W_JSON_ParseHostname(root, hostname);
    }
}

void __wrap_W_JSON_ParseAgentIP(cJSON *root, const Eventinfo *lf)
{
    if (!json_confusing(lf->hostname, "-")) {
        __real_W_JSON_ParseAgentIP(root, lf);
    }
}

/* The last that it writes. */
void __wrap_W_JSON_ParseLocation(cJSON *root, const Eventinfo *lf, int archives)
{
    if (json_confusing(lf->location, ">")) {
        cJSON_AddStringToObject(root, "logfile", lf->location);
    } else {
        __real_W_JSON_ParseLocation(root, lf, archives);
    }
    json_add_timestamp(root, lf);
}

/* Rootcheck's events come from agents and never to here. */
int __wrap_W_isRootcheck(cJSON *root, int nested)
{
    (void)root, (void)nested;
    return 0;
}

/* The JSON writer takes a hostname that starts with "(" for an agent's, "(name) address->source", and cuts
 * it at the "-" without looking whether there is one, in a buffer that it may not have terminated. Anyone who
 * may send syslog can send such a hostname. It is handed on only in the form that the writer can take;
 * any other is written here, as the name that it is, and kept from the writer. So is the text of an event of
 * rootcheck's rules, which any line can name: it looks there for "{PCI: ...}" and copies what it finds into 30
 * bytes. Rootcheck's own events come from agents and never to here. */
#include <string.h>

#include "shared.h"
#include "json_extended.h"

#define STOCK_BUFFER 1024 /* MAX_STRING in upstream's json_extended.c */

static int stock_can_take(const char *text, const char *mark)
{
    const char *close = strchr(text, ')');
    return strlen(text) < STOCK_BUFFER - 1 && close != NULL && close[1] == ' ' && strstr(close, mark) != NULL;
}

static int confusing(const char *text, const char *mark)
{
    return text != NULL && text[0] == '(' && !stock_can_take(text, mark);
}

void __real_W_ParseJSON(cJSON *root, const Eventinfo *lf);

void __wrap_W_ParseJSON(cJSON *root, const Eventinfo *lf)
{
    Eventinfo safe = *lf;

    if (confusing(lf->hostname, "-")) {
        cJSON_AddStringToObject(root, "agent_name", lf->hostname);
        safe.hostname = NULL;
    }
    if (confusing(lf->location, ">")) {
        cJSON_AddStringToObject(root, "logfile", lf->location);
        safe.location = NULL;
    }
    safe.full_log = NULL;
    __real_W_ParseJSON(root, &safe);
}

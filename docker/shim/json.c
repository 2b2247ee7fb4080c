/* The JSON writer takes a hostname that starts with "(" for an agent's, "(name) address->source", and cuts
 * it at the "-" without looking whether there is one, in a buffer that it may not have terminated. Anyone who
 * may send syslog can send such a hostname. It is handed on only in the form that the writer can take;
 * any other is written here, as the name that it is, and kept from the writer. So is the text of an event of
 * rootcheck's rules, which any line can name: it looks there for "{PCI: ...}" and copies what it finds into 30
 * bytes. Rootcheck's own events come from agents and never to here.
 *
 * The time that it writes has no year's zone and no fraction. Behind all that it writes stands "@timestamp", which programs
 * that keep logs look for: when the engine took the line, by RFC 3339. */
#include <string.h>

#include "shared.h"
#include "json_extended.h"
#include "json.h"
#include "received.h"

#define STOCK_BUFFER 1024 /* MAX_STRING in upstream's json_extended.c */

static int stock_can_take(const char *text, const char *mark)
{
    const char *close = strchr(text, ')');
    return strlen(text) < STOCK_BUFFER - 1 && close != NULL && close[1] == ' ' && strstr(close, mark) != NULL;
}

int json_confusing(const char *text, const char *mark)
{
    return text != NULL && text[0] == '(' && !stock_can_take(text, mark);
}

/* The event's own second, by which its id and its rules count, and the milliseconds in it. */
void json_add_timestamp(cJSON *root, const Eventinfo *lf)
{
    static char stamp[sizeof("1970-01-01T00:00:00.000Z") + 32];
    static time_t of = -1;
    static size_t length;
    int milliseconds = (int)(shim_received.tv_nsec / 1000000);
    struct tm parts;

    if (lf->time != of) {
        length = gmtime_r(&lf->time, &parts) == NULL ? 0 : strftime(stamp, sizeof(stamp) - 6, "%Y-%m-%dT%H:%M:%S.", &parts);
        of = lf->time;
    }
    if (lf->time != shim_received.tv_sec) {
        milliseconds = lf->time > shim_received.tv_sec ? 0 : 999; /* the second changed between the two looks at the clock */
    }
    stamp[length] = (char)('0' + milliseconds / 100 % 10);
    stamp[length + 1] = (char)('0' + milliseconds / 10 % 10);
    stamp[length + 2] = (char)('0' + milliseconds % 10);
    strcpy(stamp + length + 3, "Z");
    cJSON_AddStringToObject(root, "@timestamp", stamp);
}

void __real_W_ParseJSON(cJSON *root, const Eventinfo *lf);

void __wrap_W_ParseJSON(cJSON *root, const Eventinfo *lf)
{
    Eventinfo safe = *lf;

    if (json_confusing(lf->hostname, "-")) {
        cJSON_AddStringToObject(root, "agent_name", lf->hostname);
        safe.hostname = NULL;
    }
    if (json_confusing(lf->location, ">")) {
        cJSON_AddStringToObject(root, "logfile", lf->location);
        safe.location = NULL;
    }
    safe.full_log = NULL;
    __real_W_ParseJSON(root, &safe);
    json_add_timestamp(root, lf);
}

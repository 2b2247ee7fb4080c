#include "alert.h"

json_t *alert_parse(const char *alert, size_t length)
{
    json_t *found = json_loadb(alert, length, JSON_ALLOW_NUL, NULL);

    if (found != NULL && !json_is_object(found)) {
        json_decref(found);
        found = NULL;
    }
    return found;
}

const char *alert_text(const json_t *object, const char *name, const char *otherwise)
{
    const char *found = json_string_value(json_object_get(object, name));

    return found != NULL && *found != '\0' ? found : otherwise;
}

long alert_number(const json_t *object, const char *name)
{
    return (long)json_number_value(json_object_get(object, name));
}

long alert_level(const json_t *alert)
{
    return alert_number(json_object_get(alert, "rule"), "level");
}

const char *alert_comment(const json_t *alert)
{
    return alert_text(json_object_get(alert, "rule"), "comment", "alert");
}

const char *alert_user(const json_t *alert)
{
    return alert_text(alert, "dstuser", alert_text(alert, "srcuser", NULL));
}

void alert_time(const json_t *alert, char *date, size_t size)
{
    double stamp = json_number_value(json_object_get(alert, "TimeStamp"));
    time_t when = stamp > 0 ? (time_t)(stamp / 1000) : time(NULL);
    struct tm utc;

    gmtime_r(&when, &utc);
    strftime(date, size, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

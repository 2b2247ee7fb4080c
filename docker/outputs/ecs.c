#include "ecs.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "alert.h"

#define ECS_VERSION "8.17.0" /* its fields that are used here are those of 8.0 */

static void set(json_t *object, const char *name, const char *value)
{
    if (value != NULL) {
        json_object_set_new(object, name, json_string(value));
    }
}

/* Puts a part into the event, unless there is nothing in it. */
static void put(json_t *event, const char *name, json_t *part)
{
    if (json_object_size(part) > 0 || json_array_size(part) > 0) {
        json_object_set_new(event, name, part);
    } else {
        json_decref(part);
    }
}

static int is_address(const char *text)
{
    struct in6_addr address;

    return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

/* source or destination: `ip` is for addresses only, and `port` for numbers. */
static json_t *end_of(const json_t *alert, const char *ip, const char *port, const char *user)
{
    json_t *part = json_object();
    const char *address = alert_text(alert, ip, NULL), *number = alert_text(alert, port, NULL), *name = alert_text(alert, user, NULL);
    char *end;
    long value;

    set(part, "address", address);
    if (address != NULL && is_address(address)) {
        set(part, "ip", address);
    }
    if (number != NULL && isdigit((unsigned char)*number)) {
        value = strtol(number, &end, 10);
        if (*end == '\0' && value <= 65535) {
            json_object_set_new(part, "port", json_integer(value));
        }
    }
    if (name != NULL) {
        json_object_set_new(part, "user", json_pack("{ss}", "name", name));
    }
    return part;
}

static json_t *related(const json_t *alert, const char *one, const char *other, int only_addresses)
{
    json_t *list = json_array();
    const char *first = alert_text(alert, one, NULL), *second = alert_text(alert, other, NULL);

    if (first != NULL && (!only_addresses || is_address(first))) {
        json_array_append_new(list, json_string(first));
    }
    if (second != NULL && (first == NULL || strcmp(first, second) != 0) && (!only_addresses || is_address(second))) {
        json_array_append_new(list, json_string(second));
    }
    return list;
}

static json_t *rule_of(const json_t *alert)
{
    const json_t *rule = json_object_get(alert, "rule");
    json_t *part = json_object();
    char number[32];

    snprintf(number, sizeof(number), "%ld", alert_number(rule, "sidid"));
    set(part, "id", number);
    set(part, "name", alert_comment(alert));
    set(part, "ruleset", "ossec");
    set(part, "reference", alert_text(rule, "info", NULL));
    return part;
}

static json_t *event_of(const json_t *alert)
{
    json_t *part = json_object();
    char number[32];

    snprintf(number, sizeof(number), "%ld", alert_number(json_object_get(alert, "rule"), "sidid"));
    set(part, "kind", "alert");
    set(part, "module", "ossec");
    set(part, "dataset", "ossec.alert");
    set(part, "id", alert_text(alert, "id", NULL));
    set(part, "code", number);
    set(part, "action", alert_text(alert, "action", NULL));
    set(part, "reason", alert_comment(alert));
    json_object_set_new(part, "severity", json_integer(alert_level(alert)));
    return part;
}

static json_t *one(const char *name, const char *value)
{
    json_t *part = json_object();

    set(part, name, value);
    return part;
}

static json_t *network_of(const json_t *alert)
{
    char protocol[32];
    size_t length = 0;

    for (const char *c = alert_text(alert, "protocol", ""); *c != '\0' && length < sizeof(protocol) - 1; c++) {
        protocol[length++] = (char)tolower((unsigned char)*c);
    }
    protocol[length] = '\0';
    return one("transport", length > 0 ? protocol : NULL);
}

char *ecs_of(const char *text, size_t length)
{
    json_t *alert = alert_parse(text, length), *event = json_object(), *part, *groups;
    char date[32], *line;

    if (alert == NULL) {
        json_decref(event);
        return NULL;
    }
    alert_time(alert, date, sizeof(date));
    set(event, "@timestamp", alert_text(alert, "@timestamp", date));
    put(event, "ecs", one("version", ECS_VERSION));
    set(event, "message", alert_text(alert, "full_log", NULL));
    put(event, "event", event_of(alert));
    put(event, "rule", rule_of(alert));
    put(event, "host", one("name", alert_text(alert, "hostname", NULL)));
    put(event, "process", one("name", alert_text(alert, "program_name", NULL)));
    put(event, "source", end_of(alert, "srcip", "srcport", "srcuser"));
    put(event, "destination", end_of(alert, "dstip", "dstport", "dstuser"));
    put(event, "user", one("name", alert_user(alert)));
    put(event, "url", one("original", alert_text(alert, "url", NULL)));
    put(event, "network", network_of(alert));
    part = json_object();
    put(part, "ip", related(alert, "srcip", "dstip", 1));
    put(part, "user", related(alert, "srcuser", "dstuser", 0));
    put(event, "related", part);
    groups = json_object_get(json_object_get(alert, "rule"), "groups");
    if (json_is_array(groups)) {
        json_object_set(event, "tags", groups);
    }
    part = one("type", "ids");
    set(part, "vendor", "OSSEC");
    set(part, "product", "ossec-log-server");
    put(event, "observer", part);
    part = one("decoder", alert_text(alert, "decoder", NULL));
    set(part, "location", alert_text(alert, "location", NULL));
    put(event, "ossec", part);
    line = json_dumps(event, JSON_COMPACT);
    json_decref(event);
    json_decref(alert);
    return line;
}

#define _GNU_SOURCE
#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../outputs/alert.h"
#include "search.h"

/* As it stands in JSON, without the quotes around. */
static char *escaped(const char *text)
{
    json_t *string = json_string(text);
    char *whole = string != NULL ? json_dumps(string, JSON_ENCODE_ANY) : NULL;

    json_decref(string);
    if (whole != NULL) {
        memmove(whole, whole + 1, strlen(whole));
        whole[strlen(whole) - 1] = '\0';
    }
    return whole;
}

static char *field(const char *name, const char *value)
{
    char *inner = escaped(value), *needle = NULL;

    if (inner == NULL || asprintf(&needle, "\"%s\":\"%s\"", name, inner) < 0) {
        needle = NULL;
    }
    free(inner);
    return needle;
}

char *needle_of(const struct query *q)
{
    char *needle = NULL;

    if (q->text != NULL) {
        return q->archive ? strdup(q->text) : escaped(q->text);
    }
    if (q->archive) {
        return q->host != NULL ? strdup(q->host) : NULL;
    }
    if (q->source != NULL) {
        return field("srcip", q->source);
    }
    if (q->rule != 0) {
        return asprintf(&needle, "\"sidid\":%ld", q->rule) < 0 ? NULL : needle;
    }
    return q->host != NULL ? field("hostname", q->host) : NULL;
}

int64_t time_of(const char *text, int end)
{
    time_t now = time(NULL);
    struct tm at, day;
    long number;
    char unit, rest;
    const char *left;

    localtime_r(&now, &at);
    if (sscanf(text, "%9ld%c%c", &number, &unit, &rest) == 2 && number >= 0 && strchr("smhd", unit) != NULL) {
        return now - number * (unit == 's' ? 1 : unit == 'm' ? 60 : unit == 'h' ? 3600 : 86400);
    }
    at.tm_sec = 0;
    at.tm_isdst = -1;
    day = at;
    if ((left = strptime(text, "%Y-%m-%d", &day)) != NULL) { /* where it is none, it leaves half of one */
        at = day;
        if (*left == '\0') {
            at.tm_hour = at.tm_min = 0;
            at.tm_mday += end;
            return mktime(&at);
        }
        if (*left != ' ' && *left != 'T') {
            return -1;
        }
        text = left + 1;
    }
    left = strptime(text, "%H:%M:%S", &at);
    if (left == NULL) {
        left = strptime(text, "%H:%M", &at);
    }
    return left != NULL && *left == '\0' ? mktime(&at) : -1;
}

static int in_time(const struct query *q, int64_t when)
{
    return (q->from == 0 || when >= q->from) && (q->to == 0 || when < q->to);
}

/* Control characters, which a terminal might obey, as dots: those of ASCII, and U+0080 to U+009F, which are two bytes. */
static void put(FILE *out, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f) {
            fputc('.', out);
            c++;
        } else {
            fputc(*c < ' ' || *c == 0x7f ? '.' : *c, out);
        }
    }
}

static void put_fields(const json_t *alert, FILE *out)
{
    const json_t *rule = json_object_get(alert, "rule");
    const char *user = alert_user(alert);
    const char *parts[] = {alert_comment(alert), alert_text(alert, "hostname", "-"), alert_text(alert, "srcip", "-"),
                           user != NULL ? user : "-", alert_text(alert, "location", "-")};

    fprintf(out, "%ld\t%ld", alert_level(alert), alert_number(rule, "sidid"));
    for (size_t n = 0; n < sizeof(parts) / sizeof(parts[0]); n++) {
        fputc('\t', out);
        put(out, parts[n]);
    }
    fputc('\n', out);
}

static void put_row(const json_t *alert, FILE *out)
{
    const json_t *rule = json_object_get(alert, "rule");
    time_t when = (time_t)(json_number_value(json_object_get(alert, "TimeStamp")) / 1000);
    const char *user = alert_user(alert);
    struct tm at;
    char date[32];

    localtime_r(&when, &at);
    strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &at);
    fprintf(out, "%s  %2ld  %6ld  ", date, alert_level(alert), alert_number(rule, "sidid"));
    put(out, alert_text(alert, "hostname", "-"));
    fputs("  ", out);
    put(out, alert_text(alert, "srcip", "-"));
    fputs("  ", out);
    put(out, user != NULL ? user : "-");
    fputs("  ", out);
    put(out, alert_comment(alert));
    fputs("  | ", out);
    put(out, alert_text(alert, "full_log", ""));
    fputc('\n', out);
}

static int alert_is(const struct query *q, const json_t *alert)
{
    return alert_level(alert) >= q->level && (q->rule == 0 || alert_number(json_object_get(alert, "rule"), "sidid") == q->rule) &&
           (q->host == NULL || strcmp(alert_text(alert, "hostname", ""), q->host) == 0) &&
           (q->source == NULL || strcmp(alert_text(alert, "srcip", ""), q->source) == 0) &&
           in_time(q, (int64_t)(json_number_value(json_object_get(alert, "TimeStamp")) / 1000));
}

/* "2026 Nov 23 04:50:00 host->sender line", with -> where the engine puts it. */
static int archived_is(const struct query *q, const char *line, size_t length)
{
    char head[400], host[256] = "";
    struct tm at = {.tm_isdst = -1};
    const char *left;

    snprintf(head, sizeof(head), "%.*s", (int)length, line);
    if ((left = strptime(head, "%Y %b %d %H:%M:%S ", &at)) == NULL) {
        return q->from == 0 && q->to == 0 && q->host == NULL;
    }
    sscanf(left, "%255[^ >]", host);
    if (*host != '\0' && host[strlen(host) - 1] == '-') {
        host[strlen(host) - 1] = '\0';
    }
    return (q->host == NULL || strcmp(host, q->host) == 0) && in_time(q, mktime(&at));
}

/* Nothing is asked that the line itself does not say, and it goes out as it is. */
static int needs_no_look(const struct query *q)
{
    return q->as_json && q->level == 0 && q->rule == 0 && q->host == NULL && q->source == NULL && q->from == 0 && q->to == 0;
}

int line_matches(const struct query *q, const char *line, size_t length, FILE *out)
{
    json_t *alert = NULL;
    int matches;

    if (q->archive) {
        matches = archived_is(q, line, length);
    } else if (needs_no_look(q)) {
        matches = length > 0 && *line == '{';
    } else {
        alert = alert_parse(line, length);
        matches = alert != NULL && alert_is(q, alert);
    }
    if (matches && (q->archive || q->as_json)) {
        fwrite(line, 1, length, out);
        fputc('\n', out);
    } else if (matches) {
        (q->as_fields ? put_fields : put_row)(alert, out);
    }
    json_decref(alert);
    return matches;
}

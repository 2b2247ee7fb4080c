#define _GNU_SOURCE
#include "notice.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../alert.h"

/* Bytes in a message for people; what is longer is cut. ntfy takes 4096 in all, Discord 2000. */
#define LONGEST_WORDS 300 /* of a rule's description, a host, a user */
#define LONGEST_LOG 2500
#define LONGEST_SLACK_WORDS 100
#define LONGEST_SLACK_LOG 1200
#define TITLE_SIZE 340

struct text {
    char *data;
    size_t length;
    FILE *file;
};

static void begin(struct text *t)
{
    t->data = NULL;
    t->file = open_memstream(&t->data, &t->length);
}

static char *finish(struct text *t)
{
    if (t->file == NULL || fclose(t->file) != 0) {
        free(t->data);
        return NULL;
    }
    return t->data;
}

/* How much of it fits into so many bytes, without half a character at the end. */
static size_t fitting(const char *text, size_t most)
{
    size_t length = strlen(text);

    if (length <= most) {
        return length;
    }
    length = most;
    while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80) {
        length--;
    }
    return length;
}

static void put_cut(struct text *t, const char *text, size_t most)
{
    size_t length = fitting(text, most);

    fprintf(t->file, "%.*s%s", (int)length, text, text[length] != '\0' ? " ..." : "");
}

/* For Slack and those that read its form: no mark of theirs, as senders write what is in it. */
static void put_plain(struct text *t, const char *text, size_t most)
{
    while (*text != '\0') {
        size_t length = 1;
        const char *as = text;

        switch (*text) {
        case '&': as = "&amp;"; break;
        case '<': as = "&lt;"; break;
        case '>': as = "&gt;"; break;
        case '`': as = "'"; break;
        default:
            while (((unsigned char)text[length] & 0xc0) == 0x80) {
                length++;
            }
        }
        size_t written = as == text ? length : strlen(as);

        if (written > most) {
            fputs(" ...", t->file);
            return;
        }
        fwrite(as, 1, written, t->file);
        most -= written;
        text += length;
    }
}

static void put_detail(struct text *t, const char *name, const char *value)
{
    if (value != NULL) {
        fprintf(t->file, "  %s `", name);
        put_plain(t, value, LONGEST_SLACK_WORDS);
        fputc('`', t->file);
    }
}

static char *dumped(json_t *object)
{
    char *body = json_dumps(object, JSON_COMPACT);

    json_decref(object);
    return body;
}

static void json_alert(struct notice *n, const json_t *alert)
{
    n->body = json_dumps(alert, JSON_COMPACT);
}

static void utc(long when, char *date, size_t size)
{
    time_t at = when;
    struct tm parts;

    gmtime_r(&at, &parts);
    strftime(date, size, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

static void words(const struct summary *s, char *line, size_t size)
{
    char since[32];

    utc(s->since, since, sizeof(since));
    snprintf(line, size, "%lu more alerts since %s, not sent one by one: the highest is of level %ld (rule %ld)", s->count, since,
             s->level, s->rule);
}

static void json_summary(struct notice *n, const struct summary *s)
{
    char since[32];

    utc(s->since, since, sizeof(since));
    n->body = dumped(json_pack("{s{sI ss sI sI}}", "summary", "count", (json_int_t)s->count, "since", since, "highest_level",
                               (json_int_t)s->level, "highest_rule", (json_int_t)s->rule));
}

static void slack_alert(struct notice *n, const json_t *alert)
{
    struct text t;

    begin(&t);
    if (t.file == NULL) {
        return;
    }
    fprintf(t.file, "*Level %ld*  ", alert_level(alert));
    put_plain(&t, alert_comment(alert), LONGEST_WORDS);
    fprintf(t.file, " (rule %ld)\n", alert_number(json_object_get(alert, "rule"), "sidid"));
    put_detail(&t, "host", alert_text(alert, "hostname", NULL));
    put_detail(&t, "source", alert_text(alert, "srcip", NULL));
    put_detail(&t, "user", alert_user(alert));
    fputs("\n```", t.file);
    put_plain(&t, alert_text(alert, "full_log", ""), LONGEST_SLACK_LOG);
    fputs("```", t.file);
    n->body = finish(&t);
    if (n->body != NULL) {
        char *text = n->body;

        n->body = dumped(json_pack("{ss}", "text", text));
        free(text);
    }
}

static void slack_summary(struct notice *n, const struct summary *s)
{
    char line[256];

    words(s, line, sizeof(line));
    n->body = dumped(json_pack("{ss}", "text", line));
}

/* ntfy's headers; others do not mind. 3 is its usual priority, 5 its highest. */
static void set_headers(struct notice *n, const char *title, long level)
{
    snprintf(n->headers[0], sizeof(n->headers[0]), "Title: %s", title);
    for (char *c = n->headers[0]; *c != '\0'; c++) {
        *c = *c < ' ' || *c > '~' ? '?' : *c; /* a header is ASCII */
    }
    snprintf(n->headers[1], sizeof(n->headers[1]), "Priority: %d", level >= 12 ? 5 : level >= 10 ? 4 : 3);
}

static void put_named(struct text *t, const char *name, const char *value)
{
    if (value != NULL) {
        fprintf(t->file, ", %s ", name);
        put_cut(t, value, LONGEST_WORDS);
    }
}

static void make_title(const json_t *alert, char *title, size_t size)
{
    const char *comment = alert_comment(alert);

    snprintf(title, size, "Level %ld: %.*s", alert_level(alert), (int)fitting(comment, LONGEST_WORDS), comment);
}

static void text_alert(struct notice *n, const json_t *alert)
{
    struct text t;
    char title[TITLE_SIZE];

    make_title(alert, title, sizeof(title));
    set_headers(n, title, alert_level(alert));
    begin(&t);
    if (t.file == NULL) {
        return;
    }
    fprintf(t.file, "Level %ld: ", alert_level(alert));
    put_cut(&t, alert_comment(alert), LONGEST_WORDS);
    fprintf(t.file, " (rule %ld)", alert_number(json_object_get(alert, "rule"), "sidid"));
    put_named(&t, "host", alert_text(alert, "hostname", "unknown"));
    put_named(&t, "source", alert_text(alert, "srcip", NULL));
    put_named(&t, "user", alert_user(alert));
    fputc('\n', t.file);
    put_cut(&t, alert_text(alert, "full_log", ""), LONGEST_LOG);
    fputc('\n', t.file);
    n->body = finish(&t);
}

static void text_summary(struct notice *n, const struct summary *s)
{
    char line[256];

    words(s, line, sizeof(line));
    set_headers(n, "OSSEC: more alerts", s->level);
    if (asprintf(&n->body, "%s\n", line) < 0) {
        n->body = NULL;
    }
}

/* What its API takes: a title, a text, and a type, which it gives a colour or a sign. */
static void pack_apprise(struct notice *n, const char *title, long level)
{
    char *body = n->body;

    if (body != NULL) {
        n->body = dumped(json_pack("{ss ss ss}", "title", title, "body", body, "type",
                                   level >= 12 ? "failure" : level >= 7 ? "warning" : "info"));
        free(body);
    }
    n->headers[0][0] = n->headers[1][0] = '\0';
}

static void apprise_alert(struct notice *n, const json_t *alert)
{
    char title[TITLE_SIZE];

    make_title(alert, title, sizeof(title));
    text_alert(n, alert);
    pack_apprise(n, title, alert_level(alert));
}

static void apprise_summary(struct notice *n, const struct summary *s)
{
    text_summary(n, s);
    pack_apprise(n, "OSSEC: more alerts", s->level);
}

static const char *severity(long level)
{
    return level >= 12 ? "critical" : level >= 7 ? "warning" : "info";
}

static void set(json_t *labels, const char *name, const char *value)
{
    if (value != NULL) {
        json_object_set_new(labels, name, json_string(value));
    }
}

/* The labels say which alert it is, so there is nothing in them that differs from one time to the next. */
static void alertmanager_alert(struct notice *n, const json_t *alert)
{
    json_t *labels = json_object(), *rule = json_object_get(alert, "rule");
    char number[32], level[32], date[32];

    snprintf(number, sizeof(number), "%ld", alert_number(rule, "sidid"));
    snprintf(level, sizeof(level), "%ld", alert_level(alert));
    alert_time(alert, date, sizeof(date));
    set(labels, "alertname", alert_comment(alert));
    set(labels, "severity", severity(alert_level(alert)));
    set(labels, "rule", number);
    set(labels, "level", level);
    set(labels, "host", alert_text(alert, "hostname", NULL));
    set(labels, "srcip", alert_text(alert, "srcip", NULL));
    set(labels, "user", alert_user(alert));
    n->body = dumped(json_pack("[{so s{ss ss} ss}]", "labels", labels, "annotations", "summary", alert_comment(alert), "description",
                               alert_text(alert, "full_log", ""), "startsAt", date));
}

static void alertmanager_summary(struct notice *n, const struct summary *s)
{
    char line[256];

    words(s, line, sizeof(line));
    n->body = dumped(json_pack("[{s{ss ss} s{ss}}]", "labels", "alertname", "More OSSEC alerts", "severity", severity(s->level),
                               "annotations", "summary", line));
}

static const struct format formats[] = {
    {"json", "application/json", 0, json_alert, json_summary},
    {"slack", "application/json", 0, slack_alert, slack_summary},
    {"text", "text/plain; charset=utf-8", 0, text_alert, text_summary},
    {"apprise", "application/json", 204, apprise_alert, apprise_summary},
    {"alertmanager", "application/json", 0, alertmanager_alert, alertmanager_summary},
};

const struct format *notice_format(const char *name)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (strcmp(formats[i].name, name) == 0) {
            return &formats[i];
        }
    }
    return NULL;
}

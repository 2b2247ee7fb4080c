/* Alerts by HTTP, a POST for each from a level on. One that is not taken for now (no answer, 408, 425, 429, 5xx) waits and is
 * tried again; one that is refused (any other answer) is left out, told of once, and counted. Beyond the hour's number, one
 * summary stands for all that come. */
#include <curl/curl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "../alert.h"
#include "../deadline.h"
#include "../target.h"
#include "allowance.h"
#include "notice.h"
#include "settings.h"

#define BATCH 1
#define CONNECT_MS 10000L
#define ANSWER_MS 30000          /* for all of a request */
#define RETRY_MS 500             /* after a failure, whoever asks */
#define LONGEST_PAUSE_S 3600L    /* however long a server asks to wait */
#define MOST_REDIRECTS 5

static struct settings settings;
static struct allowance allowance;
static const struct format *format;
static CURL *curl;
static int64_t not_before, deadline; /* in milliseconds */
static long told_status;             /* it was said that alerts are refused so */
static char answer[201];
static size_t answer_length;

/* No more requests for so long. */
static int fail(struct target *t, int64_t pause, const char *text, ...) __attribute__((format(printf, 3, 4)));
static int fail(struct target *t, int64_t pause, const char *text, ...)
{
    va_list arguments;

    va_start(arguments, text);
    vsnprintf(t->why, sizeof(t->why), text, arguments);
    va_end(arguments);
    not_before = now_ms() + pause;
    return -1;
}

/* The beginning of the answer, for the log. */
static size_t on_answer(char *data, size_t size, size_t count, void *unused)
{
    size_t length = size * count, room = sizeof(answer) - 1 - answer_length, i;

    (void)unused;
    for (i = 0; i < length && i < room; i++) {
        answer[answer_length++] = data[i] < ' ' || data[i] > '~' ? ' ' : data[i];
    }
    answer[answer_length] = '\0';
    return length;
}

static int on_progress(void *unused, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)unused, (void)a, (void)b, (void)c, (void)d;
    return is_over(&deadline);
}

static int has_header(const char *name)
{
    size_t length = strcspn(name, ":");

    for (size_t i = 0; i < settings.header_count; i++) {
        if (strncasecmp(settings.headers[i], name, length + 1) == 0) {
            return 1;
        }
    }
    return 0;
}

static struct curl_slist *add_header(struct curl_slist *list, const char *header)
{
    struct curl_slist *longer = *header != '\0' && !has_header(header) ? curl_slist_append(list, header) : list;

    return longer != NULL ? longer : list;
}

static struct curl_slist *headers_of(const struct notice *n)
{
    struct curl_slist *list = NULL;
    char type[128];

    snprintf(type, sizeof(type), "Content-Type: %s", n->type);
    list = add_header(list, type);
    list = add_header(list, "Expect:"); /* no question whether the body may follow */
    for (int i = 0; i < MOST_HEADERS; i++) {
        list = add_header(list, n->headers[i]);
    }
    for (size_t i = 0; i < settings.header_count; i++) {
        struct curl_slist *longer = curl_slist_append(list, settings.headers[i]);

        list = longer != NULL ? longer : list;
    }
    return list;
}

static void set_up(void)
{
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "ossec-log-server");
    if (settings.authorities != NULL) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, settings.authorities);
    }
    if (settings.user != NULL || settings.password != NULL) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(curl, CURLOPT_USERNAME, settings.user != NULL ? settings.user : "");
        curl_easy_setopt(curl, CURLOPT_PASSWORD, settings.password != NULL ? settings.password : "");
    }
}

static void open_allowance(const char *position)
{
    static char path[512];

    snprintf(path, sizeof(path), "%s.hour", position);
    allowance_open(&allowance, path);
}

static int open_http(struct target *t)
{
    if (curl == NULL) {
        if (settings_read(&settings, t->host, t->why, sizeof(t->why)) != 0) {
            return -1;
        }
        t->name = settings.name;
        format = notice_format(t->format);
        curl = format != NULL && curl_global_init(CURL_GLOBAL_DEFAULT) == 0 ? curl_easy_init() : NULL;
        if (curl == NULL) {
            return fail(t, RETRY_MS, "libcurl cannot be used for the format '%s'", t->format);
        }
        open_allowance(t->position);
        set_up();
    }
    return now_ms() < not_before ? -1 : 0; /* the reason is there already */
}

/* Where a redirect of ours leads, if that is the same host and no less safe: the headers may hold secrets. NULL otherwise. */
static char *next_url(const char *from)
{
    CURLU *old = curl_url(), *new = curl_url();
    char *to = NULL, *result = NULL, *old_host = NULL, *new_host = NULL, *new_scheme = NULL;

    if (curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &to) == CURLE_OK && to != NULL &&
        curl_url_set(old, CURLUPART_URL, from, 0) == CURLUE_OK && curl_url_set(new, CURLUPART_URL, to, 0) == CURLUE_OK &&
        curl_url_get(old, CURLUPART_HOST, &old_host, 0) == CURLUE_OK && curl_url_get(new, CURLUPART_HOST, &new_host, 0) == CURLUE_OK &&
        curl_url_get(new, CURLUPART_SCHEME, &new_scheme, 0) == CURLUE_OK && strcasecmp(old_host, new_host) == 0 &&
        (strcmp(new_scheme, "https") == 0 || strncmp(from, "http:", 5) == 0)) {
        result = strdup(to);
    }
    curl_free(old_host);
    curl_free(new_host);
    curl_free(new_scheme);
    curl_url_cleanup(old);
    curl_url_cleanup(new);
    return result;
}

/* One request, and those that redirects ask for: the status of the last answer, -1 without one. */
static long post(const char *body, struct curl_slist *headers, char *problem)
{
    char *url = strdup(settings.url);
    long status = -1;
    CURLcode result = CURLE_OUT_OF_MEMORY;

    deadline = now_ms() + ANSWER_MS;
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, problem);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    for (int i = 0; url != NULL && i <= MOST_REDIRECTS; i++) {
        char *next;

        *problem = '\0';
        answer_length = 0;
        answer[0] = '\0';
        curl_easy_setopt(curl, CURLOPT_URL, url);
        result = curl_easy_perform(curl);
        status = -1;
        if (result != CURLE_OK) {
            break;
        }
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        next = status >= 300 && status < 400 ? next_url(url) : NULL;
        if (next == NULL) {
            break;
        }
        free(url);
        url = next;
    }
    if (result == CURLE_ABORTED_BY_CALLBACK) {
        snprintf(problem, CURL_ERROR_SIZE, "no answer");
    } else if (result != CURLE_OK && *problem == '\0') {
        snprintf(problem, CURL_ERROR_SIZE, "%s", curl_easy_strerror(result));
    }
    free(url);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
    return status;
}

static void tell_refused(const struct target *t, long status)
{
    const char *remedy = status >= 300 && status < 400 ? " (a redirect to elsewhere: write the URL that it leads to)"
                         : status < 300                ? " (it has nobody to notify: configure that in Apprise)"
                                                       : "";

    if (told_status != status) {
        fprintf(stderr, "ossec-notify: %s refuses an alert with %ld%s, so it is left out, and the next that it refuses so are "
                        "only counted; its answer: \"%s\"\n", t->name, status, remedy, answer);
        told_status = status;
    }
}

/* 1 when it was taken, 0 when it was refused, -1 when it has to wait. */
static int deliver(struct target *t, struct notice *n)
{
    char problem[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers;
    curl_off_t pause = 0;
    long status;

    if (n->body == NULL) {
        return fail(t, RETRY_MS, "there is no memory for the message");
    }
    headers = headers_of(n);
    status = post(n->body, headers, problem);
    curl_slist_free_all(headers);
    free(n->body);
    if (status < 0) {
        return fail(t, RETRY_MS, "%s", problem);
    }
    if (status >= 200 && status < 300 && status != format->unsent) {
        told_status = 0;
        return 1;
    }
    if (status == 408 || status == 425 || status == 429 || status >= 500) {
        curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &pause);
        pause = pause < 0 ? 0 : pause > LONGEST_PAUSE_S ? LONGEST_PAUSE_S : pause;
        if (pause > 0) {
            return fail(t, pause * 1000, "it answers %ld and asks to wait %ld s", status, (long)pause);
        }
        return fail(t, RETRY_MS, "it answers %ld: \"%.120s\"", status, answer);
    }
    tell_refused(t, status);
    allowance.refused++;
    return 0;
}

static void keep(void)
{
    static int told;

    if (allowance_keep(&allowance) != 0 && !told) {
        fprintf(stderr, "ossec-notify: %s.recent cannot be written, so after a restart more may be sent than in an hour\n",
                allowance.path);
        told = 1;
    }
}

/* The summary of an hour that is over. 0, or -1 when it has to wait. */
static int settle(struct target *t)
{
    struct notice n = {.type = format->type};
    long now = time(NULL);

    if (!allowance_is_over(&allowance, now) || (allowance.sent == 0 && allowance.held.count == 0)) {
        return 0;
    }
    if (allowance.held.count > 0) {
        format->summary(&n, &allowance.held);
        if (deliver(t, &n) < 0) {
            return -1;
        }
    }
    allowance_begin(&allowance, now);
    keep();
    return 0;
}

static int send_alert(struct target *t, const json_t *alert)
{
    struct notice n = {.type = format->type};
    long now = time(NULL);
    int result;

    if (settings.per_hour > 0 && allowance.sent >= settings.per_hour) {
        allowance_hold(&allowance, alert_level(alert), alert_number(json_object_get(alert, "rule"), "sidid"), now);
        keep();
        return 0;
    }
    format->alert(&n, alert);
    result = deliver(t, &n);
    if (result >= 0) {
        allowance.began = allowance.sent == 0 ? now : allowance.began;
        allowance.sent += result;
        keep();
    }
    return result < 0 ? -1 : 0;
}

static int put(struct target *t, const char *head, size_t head_length, const char *text, size_t length)
{
    json_t *alert;
    int result;

    (void)head, (void)head_length;
    if (settle(t) != 0) {
        return -1;
    }
    alert = alert_parse(text, length);
    if (alert == NULL) {
        fprintf(stderr, "ossec-notify: an alert is left out, as it is not JSON: %.*s\n", length < 200 ? (int)length : 200, text);
        return 0;
    }
    result = send_alert(t, alert);
    json_decref(alert);
    return result;
}

static int wants(const struct target *t, const char *text, size_t length)
{
    json_t *alert = alert_parse(text, length);
    int result = alert == NULL || alert_level(alert) >= settings.level;

    (void)t;
    json_decref(alert);
    return result;
}

static int confirm(struct target *t)
{
    (void)t;
    return 0;
}

static int idle(struct target *t)
{
    if (curl == NULL && open_http(t) != 0) {
        return -1;
    }
    return allowance.held.count == 0 || now_ms() < not_before ? 0 : settle(t);
}

static void print_counters(const char *position)
{
    open_allowance(position);
    printf(" %lu %lu", allowance.refused, allowance.summarised);
}

static void end(struct target *t)
{
    (void)t;
    curl_easy_cleanup(curl);
    curl = NULL;
}

const struct transport transport_http = {.name = "http", .batch = BATCH, .is_remote = 1, .open = open_http, .put = put,
                                         .confirm = confirm, .close = end, .wants = wants, .idle = idle,
                                         .print_counters = print_counters};

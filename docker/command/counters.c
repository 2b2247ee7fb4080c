#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "alert_files.h"
#include "command.h"
#include "position.h"
#include "say.h"
#include "senders.h"
#include "status.h"

#define NOTIFY "/run/ossec/notify"
#define FAILED_MAILS DATA "/queue/mail/failed"
#define PROMETHEUS "/usr/local/lib/ossec-log-server/metrics/prometheus"

int output_counters(const char *name, uint64_t *handed_on, uint64_t *waiting)
{
    static struct alert_files f; /* too large for the stack */
    char position[256];

    memset(&f, 0, sizeof(f));
    snprintf(position, sizeof(position), DATA "/queue/%s/position", name);
    if (access(position, F_OK) != 0) {
        return -1;
    }
    files_open(&f, ALERTS, position, 1);
    *handed_on = f.handed_on;
    *waiting = files_waiting(&f);
    return 0;
}

/* Alerts by HTTP, over all URLs that are in use now. */
static size_t notify_counters(struct counter found[4])
{
    DIR *folder = opendir(NOTIFY);
    uint64_t handed_on, waiting;
    struct dirent *entry;
    char name[64], path[256], line[RECENT_SIZE];

    memcpy(found, (struct counter[4]){{"notified", 0}, {"notify_waiting_bytes", 0}, {"notify_refused", 0}, {"notify_summarised", 0}},
           4 * sizeof(*found));
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        unsigned long refused = 0, summarised = 0;

        snprintf(name, sizeof(name), "notify/%.40s", entry->d_name);
        if (entry->d_name[0] == '.' || output_counters(name, &handed_on, &waiting) != 0) {
            continue;
        }
        snprintf(path, sizeof(path), DATA "/queue/%s/position.hour", name);
        if (position_read_recent(path, line) != 0 ||
            sscanf(line, "%*d %*d %*u %*d %*d %*d %lu %lu", &refused, &summarised) != 2) {
            refused = summarised = 0;
        }
        found[0].value += handed_on > refused + summarised ? handed_on - refused - summarised : 0;
        found[1].value += waiting;
        found[2].value += refused;
        found[3].value += summarised;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return 4;
}

static uint64_t files_in(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    uint64_t count = 0;

    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        count += entry->d_name[0] != '.';
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return count;
}

static size_t mail_counters(struct counter found[2])
{
    if (access(MAILS, F_OK) != 0) {
        return 0;
    }
    found[0] = (struct counter){"mail_waiting", files_in(MAILS)};
    found[1] = (struct counter){"mail_failed", files_in(FAILED_MAILS)};
    return 2;
}

static size_t sender_counters(struct counter found[2])
{
    size_t count = 0, silent = 0;

    senders_counts(&count, &silent);
    found[0] = (struct counter){"senders", count};
    found[1] = (struct counter){"senders_silent", silent};
    return 2;
}

static void print_all(FILE *out, int as_json)
{
    static const char *const outputs[][3] = {{"output", "printed", "print_waiting_bytes"},
                                             {"forward", "forwarded", "forward_waiting_bytes"}};
    const char *form = as_json ? "%s\"%s\": %" PRIu64 : "%s%s %" PRIu64 "\n", *between = "";
    struct counter all[STATUS_COUNTERS + 12];
    size_t count = status_counters(all);

    for (int n = 0; n < 2; n++) {
        uint64_t handed_on, waiting;

        if (output_counters(outputs[n][0], &handed_on, &waiting) == 0) {
            all[count++] = (struct counter){outputs[n][1], handed_on};
            all[count++] = (struct counter){outputs[n][2], waiting};
        }
    }
    count += notify_counters(all + count);
    count += mail_counters(all + count);
    count += sender_counters(all + count);
    fputs(as_json ? "{" : "", out);
    for (size_t n = 0; n < count; n++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        fprintf(out, form, between, all[n].name, all[n].value);
#pragma GCC diagnostic pop
        between = as_json ? ", " : "";
    }
    fputs(as_json ? "}\n" : "", out);
}

int counters(enum counters_form form)
{
    FILE *out = stdout;
    int failed;

    if (!status_is_there()) {
        return EX_UNAVAILABLE;
    }
    if (form == COUNTERS_PROMETHEUS && (out = popen(PROMETHEUS, "w")) == NULL) {
        say(PROMETHEUS " cannot be run");
        return EX_UNAVAILABLE;
    }
    print_all(out, form == COUNTERS_JSON);
    failed = form == COUNTERS_PROMETHEUS ? pclose(out) : fflush(out);
    return failed ? 1 : 0;
}

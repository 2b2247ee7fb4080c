/* ossec-output TRANSPORT HOST PORT FORMAT ALERTS POSITION: hands OSSEC's alerts on. The day's files in the folder ALERTS are its
 * queue: it notes in the file POSITION how far it has come when what it has handed on has arrived, so that what was under way
 * when anything ended comes twice rather than never. TRANSPORT is stdout, tcp, tls, relp or relps; FORMAT is json, ecs or syslog
 * (RFC 5424).
 * ossec-notify is the same with HTTP: the TRANSPORT http, whose HOST is the file of settings.h and whose FORMAT one of notice.c.
 * ossec-output --settle ALERTS POSITION: before the engine starts. Where a power failure has left less than what was handed
 * on, what the engine will write there is new.
 * ossec-output --counters ALERTS POSITION: how many alerts were handed on, and how many bytes of them wait. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "alert_files.h"
#include "deadline.h"
#include "ecs.h"
#include "target.h"
#include "wake.h"

#define FIRST_RETRY_MS 500 /* between two attempts to reach a target, twice as long each time */
#define LAST_RETRY_MS 10000

enum outcome { NOTHING, HANDED_ON, NOT_TAKEN };

static char host_name[256];

/* What stands before an alert in a line of RFC 5424: local0.warning, as OSSEC's own forwarder has it, and the alert's time. */
static size_t syslog_head(const char *alert, size_t length, char *head, size_t size)
{
    static const char mark[] = "\"TimeStamp\":"; /* before all that a sender wrote */
    const char *stamp = memmem(alert, length, mark, sizeof(mark) - 1);
    time_t when = stamp ? (time_t)(strtod(stamp + sizeof(mark) - 1, NULL) / 1000) : time(NULL);
    struct tm utc;
    char date[32];

    gmtime_r(&when, &utc);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &utc);
    return (size_t)snprintf(head, size, "<132>1 %s %s ossec-log-server - alert - ", date, host_name);
}

static int put_formatted(struct target *t, const char *alert, size_t length)
{
    char head[512], *ecs;
    int result;

    if (!t->ecs) {
        return target_put(t, head, t->syslog ? syslog_head(alert, length, head, sizeof(head)) : 0, alert, length);
    }
    ecs = ecs_of(alert, length);
    if (ecs == NULL) {
        fprintf(stderr, "ossec-output: an alert is left out, as it is not JSON: %.*s\n", length < 200 ? (int)length : 200, alert);
        return 0;
    }
    result = target_put(t, "", 0, ecs, strlen(ecs));
    free(ecs);
    return result;
}

/* Sends what is in the buffer, a batch at most; the number of alerts, -1 if the target does not take them. */
static int send_batch(struct alert_files *f, struct target *t)
{
    const char *alert;
    size_t length;
    int count = 0;

    while (count < t->transport->batch && files_next(f, &alert, &length)) {
        if (!target_wants(t, alert, length)) {
            continue;
        }
        if (put_formatted(t, alert, length) != 0) {
            return -1;
        }
        count++;
    }
    return count == 0 || target_confirm(t) == 0 ? count : -1;
}

static enum outcome hand_on(struct alert_files *f, struct target *t)
{
    int waiting = files_wait(f), count;

    if (waiting < 0) {
        snprintf(t->why, sizeof(t->why), "%s: %s", f->folder, strerror(errno));
    }
    if (waiting <= 0) {
        return waiting < 0 || target_idle(t) != 0 ? NOT_TAKEN : NOTHING;
    }
    if (!t->is_open) {
        files_sync(f, 1); /* as this may take a while */
        if (target_open(t) != 0) {
            return NOT_TAKEN;
        }
    }
    count = send_batch(f, t);
    if (count < 0) {
        files_back(f);
        return NOT_TAKEN;
    }
    files_done(f, (uint64_t)count);
    return HANDED_ON;
}

/* One line when it stops taking alerts, and one when it takes them again. How long to wait until the next attempt. */
static int tell(const struct target *t, enum outcome outcome, int *away, int wait)
{
    if (outcome == NOT_TAKEN) {
        if (!*away) {
            fprintf(stderr, "%s: %s takes no alerts, so they wait: %s\n", program_invocation_short_name, target_name(t), t->why);
        }
        *away = 1;
        return wait == 0 ? FIRST_RETRY_MS : wait * 2 > LAST_RETRY_MS ? LAST_RETRY_MS : wait * 2;
    }
    if (*away && outcome == HANDED_ON) {
        fprintf(stderr, "%s: %s takes alerts again\n", program_invocation_short_name, target_name(t));
        *away = 0;
    }
    return outcome == HANDED_ON ? 0 : wait;
}

static void run(struct alert_files *f, struct target *t)
{
    int wait = 0, away = 0, at_once = 0;

    for (;;) {
        int was_open = t->is_open;
        uint32_t written = wake_count();
        enum outcome outcome = hand_on(f, t);

        files_sync(f, 0);
        if (asked_to_end() && (outcome != HANDED_ON || end_is_over())) {
            break;
        }
        if (outcome == NOT_TAKEN && was_open && at_once) {
            at_once = 0; /* a connection that the peer has ended since it took something */
            continue;
        }
        at_once |= outcome == HANDED_ON;
        wait = tell(t, outcome, &away, wait);
        if (outcome == NOT_TAKEN) {
            pause_ms(wait);
        } else if (outcome == NOTHING) {
            wake_wait(written);
        }
    }
    files_sync(f, 1);
    target_close(t);
}

static int usage(void)
{
    fputs("usage: ossec-output TRANSPORT HOST PORT FORMAT ALERTS POSITION | --settle ALERTS POSITION |"
          " --counters ALERTS POSITION\n", stderr);
    return 64;
}

int main(int argc, char **argv)
{
    static struct alert_files f;
    static struct target t = {.socket = -1};
    int counting = argc == 4 && strcmp(argv[1], "--counters") == 0;
    int settling = argc == 4 && strcmp(argv[1], "--settle") == 0;

    if (!counting && !settling && (argc != 7 || target_choose(&t, argv[1]) != 0)) {
        return usage();
    }
    if (!counting && !settling) {
        deadline_watch_signals();
    }
    files_open(&f, argv[argc - 2], argv[argc - 1], counting);
    if (counting) {
        printf("%" PRIu64 " %" PRIu64, f.handed_on, files_waiting(&f));
        if (target_choose(&t, "http") == 0) {
            t.transport->print_counters(argv[argc - 1]);
        }
        putchar('\n');
        return 0;
    }
    if (settling) {
        files_settle(&f);
        return 0;
    }
    t.host = argv[2];
    t.port = argv[3];
    t.format = argv[4];
    t.position = argv[6];
    t.syslog = strcmp(t.format, "syslog") == 0;
    t.ecs = strcmp(t.format, "ecs") == 0;
    gethostname(host_name, sizeof(host_name) - 1);
    run(&f, &t);
    return 0;
}

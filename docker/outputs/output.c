/* ossec-output WAY HOST PORT FORMAT ALERTS POSITION: hands OSSEC's alerts on. The day's files in the folder ALERTS are its queue:
 * it notes in the file POSITION how far it has come when what it has handed on has arrived, so that what was under way when
 * anything ended comes twice rather than never. WAY is stdout, tcp, tls or relp; FORMAT is json or syslog (RFC 5424).
 * ossec-output --counters ALERTS POSITION: how many alerts were handed on, and how many bytes of them wait. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "files.h"
#include "receiver.h"

#define BUFFER (1 << 18) /* bytes; no alert is longer */
#define BATCH 100        /* alerts that are sent and confirmed together, and may come twice */
#define LOOK_MS 100     /* between two looks for new alerts */
#define RETRY_MS 10000  /* the longest time between two attempts to reach a receiver */
#define END_S 2         /* for what is left when it is asked to end */

static volatile sig_atomic_t ending;
static char alerts[BUFFER], host_name[256];

static void on_end(int signal)
{
    (void)signal;
    ending = 1;
    receiver_patience_ms = 1000;
}

static void die(const char *what)
{
    fprintf(stderr, "ossec-output: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* What stands before an alert in a line of RFC 5424: local0.warning, as OSSEC's own forwarder has it, and the alert's time. */
static size_t syslog_head(const char *alert, char *head, size_t size)
{
    const char *stamp = strstr(alert, "\"TimeStamp\":"); /* before all that a sender wrote */
    time_t when = stamp ? (time_t)(strtod(stamp + 12, NULL) / 1000) : time(NULL);
    struct tm utc;
    char date[32];

    gmtime_r(&when, &utc);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &utc);
    return (size_t)snprintf(head, size, "<132>1 %s %s ossec-log-server - alert - ", date, host_name);
}

static int write_alert(struct receiver *r, const char *alert, size_t length, int syslog)
{
    char head[512], frame[64];
    size_t head_length = syslog ? syslog_head(alert, head, sizeof(head)) : 0, frame_length = 0;
    int relp = strcmp(r->way, "relp") == 0, counted = syslog && strcmp(r->way, "tls") == 0; /* RFC 5425 */

    if (relp) {
        frame_length = receiver_relp_head(r, "syslog", head_length + length, frame, sizeof(frame));
    } else if (counted) {
        frame_length = (size_t)snprintf(frame, sizeof(frame), "%zu ", head_length + length);
    }
    if (receiver_put(r, frame, frame_length) != 0 || receiver_put(r, head, head_length) != 0 ||
        receiver_put(r, alert, length) != 0 || receiver_put(r, "\n", !counted) != 0) {
        return -1;
    }
    /* A line a write: up to 4 KiB a pipe takes a write whole or not at all, so that a kill leaves no half line. */
    return strcmp(r->way, "stdout") == 0 ? receiver_flush(r) : 0;
}

/* Hands on what waits, a batch at most. 1 if there was something, 0 if not, -1 if the receiver does not take it. */
static int hand_on(struct files *f, struct receiver *r, int syslog)
{
    long length = files_read(f, alerts, sizeof(alerts));
    size_t done = 0;
    uint64_t count = 0;
    char *end;

    if (length < 0) {
        die(f->folder);
    }
    if (length == 0) {
        return 0;
    }
    if (r->socket < 0 && receiver_connect(r) != 0) {
        return -1;
    }
    for (; count < BATCH && (end = memchr(alerts + done, '\n', (size_t)length - done)) != NULL; done = (size_t)(end - alerts) + 1) {
        *end = '\0';
        if (write_alert(r, alerts + done, (size_t)(end - alerts) - done, syslog) != 0) {
            return -1;
        }
        count++;
    }
    if (count == 0) {
        fprintf(stderr, "ossec-output: %ld bytes without a line's end, which are no alert, are left out\n", length);
        done = (size_t)length;
    }
    if (receiver_flush(r) != 0 || receiver_confirm(r) != 0) {
        return -1;
    }
    if (files_done(f, done, count) != 0) {
        fprintf(stderr, "ossec-output: %s: %s; what follows comes twice after a restart\n", f->position, strerror(errno));
    }
    return 1;
}

static void run(struct files *f, struct receiver *r, int syslog)
{
    int wait = 0, away = 0;
    time_t end = 0;

    for (;;) {
        int had = r->socket >= 0, done = hand_on(f, r, syslog);

        if (ending && end == 0) {
            end = time(NULL) + END_S;
        }
        if (ending && (done != 1 || time(NULL) >= end)) {
            return;
        }
        if (done < 0 && had) {
            continue; /* a connection that the receiver has ended meanwhile */
        }
        if (done < 0) {
            if (!away) {
                fprintf(stderr, "ossec-output: %s://%s:%s takes no alerts, so they wait: %s\n", r->way, r->host, r->port, r->why);
            }
            away = 1;
            wait = wait == 0 ? 500 : wait * 2 > RETRY_MS ? RETRY_MS : wait * 2;
        } else {
            if (away && done) {
                fprintf(stderr, "ossec-output: %s://%s:%s takes alerts again\n", r->way, r->host, r->port);
                away = 0;
            }
            wait = 0;
        }
        if (done != 1) {
            poll(NULL, 0, wait ? wait : LOOK_MS);
        }
    }
}

int main(int argc, char **argv)
{
    struct sigaction act = {.sa_handler = on_end};
    static struct files f;
    struct receiver r = {.socket = -1};
    int counting = argc == 4 && strcmp(argv[1], "--counters") == 0;

    if (!counting && argc != 7) {
        fputs("usage: ossec-output WAY HOST PORT FORMAT ALERTS POSITION | --counters ALERTS POSITION\n", stderr);
        return 64;
    }
    if (files_open(&f, argv[argc - 2], argv[argc - 1], counting) != 0) {
        die(argv[argc - 1]);
    }
    if (counting) {
        printf("%" PRIu64 " %" PRIu64 "\n", f.handed_on, files_waiting(&f));
        return 0;
    }
    r.way = argv[1];
    r.host = argv[2];
    r.port = argv[3];
    gethostname(host_name, sizeof(host_name) - 1);
    signal(SIGPIPE, SIG_IGN);
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGINT, &act, NULL);
    run(&f, &r, strcmp(argv[4], "syslog") == 0);
    return 0;
}

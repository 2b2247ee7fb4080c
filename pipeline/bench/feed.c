/* feed: the bench's load generator. Sends COUNT messages made of the lines of the file LINES in turn, each with a
 * space and its own id behind it (before a CR), "uid=" and seven digits from FIRST on.
 *
 *   feed tcp ADDRESS CONNECTIONS LINES FIRST COUNT   to port 514, over so many connections at once
 *   feed udp ADDRESS RATE LINES FIRST COUNT          to port 514, so many datagrams a second
 *   feed relp ADDRESS CONNECTIONS LINES FIRST COUNT  to port 2514, over so many connections; acknowledged lines count
 *   feed engine SENDER SECONDS LINES FIRST COUNT     straight into the engine's socket, as from that sender
 *
 * Prints three numbers: messages sent, and when the first was sent and the last (seconds since 1970). What could not
 * be sent, because nobody takes it any more, is not counted; `engine` gives up when its seconds are over. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ENGINE_SOCKET "/var/ossec/queue/ossec/queue"
#define PORT 514
#define RELP_PORT 2514
#define RELP_WINDOW 512  /* lines that a connection may have unacknowledged */
#define MESSAGE_MAX 8192 /* bytes */
#define CHUNK 65536      /* bytes a write over TCP */
#define BURST 64         /* datagrams a system call */
#define STALL_S 20       /* a TCP receiver that takes nothing for so long has given up */
#define CATCH_UP_S 0.01
#define PAUSE_NS 500000  /* between two bursts that are not due yet */

static char **lines;
static size_t line_count, first, count, connections;
static struct sockaddr_in target = {.sin_family = AF_INET};

static double seconds(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void read_lines(const char *path)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t length;

    if (file == NULL) {
        err(1, "%s", path);
    }
    while ((length = getline(&line, &room, file)) > 0) {
        if (line[length - 1] == '\n') {
            line[length - 1] = '\0';
        }
        lines = realloc(lines, (line_count + 1) * sizeof(*lines));
        if (lines == NULL || (lines[line_count++] = strdup(line)) == NULL) {
            err(1, "memory");
        }
    }
    fclose(file);
    free(line);
    if (line_count == 0) {
        errx(1, "%s: no lines in it", path);
    }
}

/* The number-th message, between the two texts; its length. */
static size_t compose(char *message, const char *before, size_t number, const char *after)
{
    const char *line = lines[number % line_count];
    int text = (int)strcspn(line, "\r"); /* a line that ends with CR LF: the id is its last word */
    int length = snprintf(message, MESSAGE_MAX, "%s%.*s uid=%07zu%s%s", before, text, line, first + number, line + text, after);

    if (length < 0 || length >= MESSAGE_MAX) {
        errx(1, "a line is too long");
    }
    return (size_t)length;
}

/* A TCP connection; -1 where nobody takes it. */
static int connected(void)
{
    static const struct timeval stall = {.tv_sec = STALL_S};
    int out = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (out < 0 || setsockopt(out, SOL_SOCKET, SO_SNDTIMEO, &stall, sizeof(stall)) != 0 ||
        setsockopt(out, SOL_SOCKET, SO_RCVTIMEO, &stall, sizeof(stall)) != 0) {
        err(1, "socket");
    }
    if (connect(out, (struct sockaddr *)&target, sizeof(target)) != 0) {
        close(out);
        return -1;
    }
    return out;
}

static int send_all(int out, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t taken = send(out, data, length, MSG_NOSIGNAL);

        if (taken < 0) {
            return -1;
        }
        data += taken;
        length -= (size_t)taken;
    }
    return 0;
}

/* Every `connections`-th message, from the one whose number is given on; returns how many were sent. */
static void *tcp_sender(void *number)
{
    char chunk[CHUNK + MESSAGE_MAX];
    size_t at = (size_t)number, filled = 0, in_chunk = 0, sent = 0;
    int out = connected();

    while (out >= 0 && at < count) {
        filled += compose(chunk + filled, "<38>", at, "\n");
        in_chunk++;
        at += connections;
        if (filled >= CHUNK || at >= count) {
            if (send_all(out, chunk, filled) != 0) {
                break;
            }
            sent += in_chunk;
            filled = in_chunk = 0;
        }
    }
    close(out);
    return (void *)sent;
}

/* How many answers came, of which each but the first is one line; -1 at the end. With `wait`, at least one. */
static ssize_t relp_answers(int out, int wait)
{
    char answers[8192];
    ssize_t length = recv(out, answers, sizeof(answers), wait ? 0 : MSG_DONTWAIT), lines_in_it = 0;

    if (length < 0) {
        return !wait && errno == EAGAIN ? 0 : -1;
    }
    for (ssize_t i = 0; i < length; i++) {
        lines_in_it += answers[i] == '\n';
    }
    return length == 0 ? -1 : lines_in_it;
}

/* Opens a session on a connection: its answer is "1 rsp LENGTH DATA" and a newline, and nothing follows it yet. */
static int relp_open(int out)
{
    static const char hello[] = "1 open 49 relp_version=0\nrelp_software=feed\ncommands=syslog\n";
    FILE *answer = fdopen(dup(out), "r");
    size_t left;

    if (answer == NULL) {
        err(1, "socket");
    }
    if (send_all(out, hello, sizeof(hello) - 1) != 0 || fscanf(answer, "1 rsp %zu", &left) != 1) {
        left = SIZE_MAX;
    } else {
        for (left += 2; left > 0 && getc(answer) != EOF; left--) { /* with the space and the newline */
        }
    }
    fclose(answer);
    return left == 0 ? 0 : -1;
}

/* As tcp_sender, but over RELP; returns how many were acknowledged. */
static void *relp_sender(void *number)
{
    char chunk[CHUNK + 2 * MESSAGE_MAX], message[MESSAGE_MAX];
    size_t at = (size_t)number, waiting = 0, acknowledged = 0, transaction = 1;
    int out = connected(), open = out >= 0 && relp_open(out) == 0;

    while (open && (at < count || waiting > 0)) {
        size_t filled = 0;
        ssize_t answers;

        while (at < count && waiting < RELP_WINDOW && filled < CHUNK) {
            size_t length = compose(message, "<38>", at, "");

            filled += (size_t)sprintf(chunk + filled, "%zu syslog %zu ", ++transaction, length);
            memcpy(chunk + filled, message, length);
            filled += length;
            chunk[filled++] = '\n';
            at += connections;
            waiting++;
        }
        if (filled > 0 && send_all(out, chunk, filled) != 0) {
            break;
        }
        answers = relp_answers(out, filled == 0);
        if (answers < 0) {
            break;
        }
        waiting -= (size_t)answers;
        acknowledged += (size_t)answers;
    }
    close(out);
    return (void *)acknowledged;
}

static size_t over_connections(void *(*sender)(void *))
{
    pthread_t threads[connections];
    size_t sent = 0;
    void *one;

    for (size_t i = 0; i < connections; i++) {
        if (pthread_create(&threads[i], NULL, sender, (void *)i) != 0) {
            errx(1, "no more threads");
        }
    }
    for (size_t i = 0; i < connections; i++) {
        pthread_join(threads[i], &one);
        sent += (size_t)one;
    }
    return sent;
}

/* As many as are due by the clock, then a pause. One that was held up, as by a busy machine, does not make up for
 * more than a few milliseconds: that would be a burst at another rate than the one asked for. */
static size_t over_udp(double rate)
{
    static char messages[BURST][MESSAGE_MAX];
    struct mmsghdr burst[BURST] = {0};
    struct iovec parts[BURST];
    struct timespec pause = {.tv_nsec = PAUSE_NS};
    size_t sent = 0;
    int out = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    double began;

    /* Not connected: where nobody listens any more, it goes on all the same, as a device would. */
    if (out < 0) {
        err(1, "socket");
    }
    /* In life the senders are other machines, which do not wait for this one's CPUs. Where it may not, it goes without. */
    setpriority(PRIO_PROCESS, 0, -10);
    for (size_t i = 0; i < BURST; i++) {
        parts[i].iov_base = messages[i];
        burst[i].msg_hdr = (struct msghdr){.msg_name = &target, .msg_namelen = sizeof(target), .msg_iov = &parts[i], .msg_iovlen = 1};
    }
    began = seconds(CLOCK_MONOTONIC);
    while (sent < count) {
        double late = seconds(CLOCK_MONOTONIC) - began - (double)sent / rate;
        size_t due;
        unsigned n = 0;

        if (late > CATCH_UP_S) {
            began += late - CATCH_UP_S;
            late = CATCH_UP_S;
        }
        due = sent + (size_t)(late * rate + 1);
        due = due > count ? count : due;
        while (n < BURST && sent + n < due) {
            parts[n].iov_len = compose(messages[n], "<38>", sent + n, "");
            n++;
        }
        if (n == 0) {
            nanosleep(&pause, NULL);
            continue;
        }
        for (unsigned done = 0; done < n;) {
            int taken = sendmmsg(out, burst + done, n - done, 0);

            if (taken < 0 && errno != ENOBUFS && errno != EINTR) {
                err(1, "sendmmsg");
            }
            done += taken > 0 ? (unsigned)taken : 0;
        }
        sent += n;
    }
    return sent;
}

/* Blocks while the engine's socket is full. */
static size_t into_engine(const char *sender, double limit)
{
    static const struct timeval patience = {.tv_sec = 1};
    struct sockaddr_un engine = {.sun_family = AF_UNIX, .sun_path = ENGINE_SOCKET};
    double until = seconds(CLOCK_MONOTONIC) + limit;
    char before[128], message[MESSAGE_MAX];
    size_t sent = 0;
    int out = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (out < 0 || setsockopt(out, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0 ||
        connect(out, (struct sockaddr *)&engine, sizeof(engine)) != 0) {
        err(1, ENGINE_SOCKET);
    }
    snprintf(before, sizeof(before), "2:%s:", sender);
    while (sent < count && (sent % 64 != 0 || seconds(CLOCK_MONOTONIC) < until)) {
        size_t length = compose(message, before, sent, "");

        while (send(out, message, length, 0) < 0) {
            if ((errno != EAGAIN && errno != ENOBUFS && errno != EINTR) || seconds(CLOCK_MONOTONIC) >= until) {
                return sent;
            }
        }
        sent++;
    }
    return sent;
}

int main(int argc, char **argv)
{
    const char *mode = argc == 7 ? argv[1] : "";
    int relp = strcmp(mode, "relp") == 0, tcp = strcmp(mode, "tcp") == 0, udp = strcmp(mode, "udp") == 0;
    double began, how;
    size_t sent;

    if (!relp && !tcp && !udp && strcmp(mode, "engine") != 0) {
        errx(64, "usage: feed tcp|relp ADDRESS CONNECTIONS | udp ADDRESS RATE | engine SENDER SECONDS   LINES FIRST COUNT");
    }
    how = atof(argv[3]);
    connections = (size_t)how;
    read_lines(argv[4]);
    first = strtoul(argv[5], NULL, 10);
    count = strtoul(argv[6], NULL, 10);
    target.sin_port = htons(relp ? RELP_PORT : PORT);
    if ((relp || tcp || udp) && inet_pton(AF_INET, argv[2], &target.sin_addr) != 1) {
        errx(1, "%s: not an address", argv[2]);
    }
    began = seconds(CLOCK_REALTIME);
    if (tcp || relp) {
        sent = over_connections(tcp ? tcp_sender : relp_sender);
    } else {
        sent = udp ? over_udp(how) : into_engine(argv[2], how);
    }
    printf("%zu %.6f %.6f\n", sent, began, seconds(CLOCK_REALTIME));
    return 0;
}

/* ossec-handover: takes messages from the receiver and hands them to OSSEC's engine, waiting for the engine
 * where it is slow or away, so that the pressure goes back to the receiver and from there to the sender.
 *
 *   ossec-handover FIFO JOURNAL NETWORKS BYTES        lines "ADDRESS MESSAGE" from a FIFO that it makes (rsyslog's
 *                                                     omfile), of addresses in the file NETWORKS; so much may wait
 *   ossec-handover --confirm JOURNAL NETWORKS BYTES   the same from standard input, each answered "OK" (omprog)
 * SIGUSR1 says that the receiver ends: what it has in its hands is taken beyond those bytes.
 *   ossec-handover --say TEXT       one message of our own to the engine
 *   ossec-handover --settled JOURNAL   notes that the engine ended in order: it has analysed all that it took
 *   ossec-handover --counters JOURNAL...
 *
 * Every message is in the journal before it is sent. What the engine held when it was killed, and did not write
 * to its archive, is sent again at the next start: a message may come twice then, but none is lost. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "journal.h"
#include "message.h"
#include "networks.h"
#include "recovery.h"

#define ENGINE_SOCKET "/var/ossec/queue/ossec/queue"
#define LINE_LIMIT 524288    /* bytes, above the receiver's maxMessageSize with every byte escaped */
#define LAST (128u << 20)    /* bytes that may wait beyond the allowance at the end: what the receiver has in its hands then */
#define RETRY_MS 20          /* how often an engine that is away is looked for */

static struct journal *journal;
static uint64_t allowance;   /* bytes that may wait */
static int engine = -1;
static volatile sig_atomic_t ending = 0;
static volatile sig_atomic_t last = 0; /* the receiver ends */

static void on_signal(int sig)
{
    last = 1;
    if (sig != SIGUSR1) {
        ending = 1;
    }
}

static void die(const char *what)
{
    fprintf(stderr, "ossec-handover: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int connect_engine(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = ENGINE_SOCKET};

    if (engine >= 0) {
        close(engine);
    }
    engine = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (engine < 0) {
        die("socket");
    }
    return connect(engine, (struct sockaddr *)&address, sizeof(address));
}

/* Sends until the journal has no more or the engine takes no more. Returns 0 when the engine is away. */
static int send_on(void)
{
    char datagram[JOURNAL_RECORD_MAX];
    uint32_t length;

    while (journal->unsent < journal->end) {
        uint64_t next = journal_read(journal, journal->unsent, datagram, &length);

        if (send(engine, datagram, length, 0) < 0) {
            if (errno == EAGAIN || errno == ENOBUFS || errno == EINTR) {
                return 1;
            }
            if (connect_engine() != 0) {
                return 0;
            }
            continue;
        }
        journal_sent(journal, next);
    }
    return 1;
}

/* Puts each whole line of the buffer into the journal; what is left stays in it. Returns 0 if there was no room. */
static int take_in(char *buffer, size_t *filled, int confirm)
{
    char datagram[JOURNAL_RECORD_MAX];
    char *line = buffer, *end;
    int room = 1;

    while ((end = memchr(line, '\n', (size_t)(buffer + *filled - line))) != NULL) {
        uint64_t cut = journal->cut;
        uint32_t length = compose(journal, line, (size_t)(end - line), datagram);

        if (length > 0 && !journal_add(&journal, datagram, length, last ? allowance + LAST : allowance)) {
            journal->cut = cut; /* it will come by again */
            room = 0;
            break;
        }
        if (confirm && write(STDOUT_FILENO, "OK\n", 3) != 3) {
            ending = 1;
        }
        line = end + 1;
    }
    *filled -= (size_t)(line - buffer);
    memmove(buffer, line, *filled);
    return room;
}

/* Until the input is closed, or it is told to end and the input is empty; then until all is sent or the engine away. */
static void run(int input, int confirm)
{
    static char buffer[LINE_LIMIT];
    size_t filled = 0;
    int open = 1, room = 1;

    for (;;) {
        /* With no room for what it writes, the engine would lose it: then it counts as away. */
        int there = !journal_volume_full() && send_on();
        int waiting = journal->unsent < journal->end;

        if (!waiting) {
            journal_shrink(&journal);
        }
        if (!room) {
            room = take_in(buffer, &filled, confirm);
        }
        if (ending && (!open || !room) && (!there || !waiting)) {
            return;
        }
        complain(journal);

        struct pollfd wanted[2] = {{open && room ? input : -1, POLLIN, 0}, {there && waiting ? engine : -1, POLLOUT, 0}};
        int patience = ending && !waiting ? 0 : there && room && !ending ? 1000 : RETRY_MS;

        if (poll(wanted, 2, patience) < 0) {
            if (errno != EINTR) {
                die("poll");
            }
            continue; /* it says nothing of the input then */
        }
        if (wanted[0].revents & (POLLIN | POLLHUP)) {
            ssize_t got = read(input, buffer + filled, sizeof(buffer) - filled);

            if (got > 0) {
                filled += (size_t)got;
                room = take_in(buffer, &filled, confirm);
                if (filled == sizeof(buffer) && room) {
                    filled = 0; /* no line is so long: the receiver cuts before */
                }
            } else if (got == 0) {
                open = 0;
                ending = 1;
            }
        } else if (ending && (!there || !waiting)) {
            return;
        }
    }
}

static int say(const char *text)
{
    char datagram[256];
    int length = snprintf(datagram, sizeof(datagram), "1:ossec-log-server:ossec-log-server: %s", text);

    return length < 0 || length >= (int)sizeof(datagram) || connect_engine() != 0 ||
           send(engine, datagram, (size_t)length, 0) < 0;
}

static void print_counters(int count, char **paths)
{
    uint64_t received = 0, refused = 0, cut = 0, sent = 0, repeated = 0, waiting = 0, bytes = 0;

    for (int n = 0; n < count; n++) {
        const struct journal *j = journal_look(paths[n]);

        if (j == NULL) {
            continue; /* it is just being made */
        }
        received += j->received;
        refused += j->refused;
        cut += j->cut;
        sent += j->sent;
        repeated += j->repeated;
        waiting += j->received + j->repeated - j->sent;
        bytes += j->end - j->unsent;
    }
    printf("received %" PRIu64 "\nrefused %" PRIu64 "\ncut %" PRIu64 "\nsent %" PRIu64 "\nrepeated %" PRIu64
           "\nqueued %" PRIu64 "\nwaiting_bytes %" PRIu64 "\n", received, refused, cut, sent, repeated, waiting, bytes);
}

int main(int argc, char **argv)
{
    struct sigaction act = {.sa_handler = on_signal};
    const char *mode = argc > 2 ? argv[1] : "";
    int confirm = strcmp(mode, "--confirm") == 0;
    int input = STDIN_FILENO;

    if (strcmp(mode, "--say") == 0) {
        return say(argv[2]);
    }
    if (strcmp(mode, "--counters") == 0) {
        print_counters(argc - 2, argv + 2);
        return 0;
    }
    if (strcmp(mode, "--settled") == 0) {
        if ((journal = journal_look(argv[2])) != NULL) {
            journal->settled = 1;
        }
        return 0;
    }
    if (argc != 5 || (allowance = strtoull(argv[4], NULL, 10)) == 0) {
        fputs("usage: ossec-handover FIFO JOURNAL NETWORKS BYTES | --confirm JOURNAL NETWORKS BYTES | --say TEXT | "
              "--settled JOURNAL | --counters JOURNAL...\n", stderr);
        return 64;
    }
    journal = journal_open(argv[2]);
    if (journal == NULL) {
        die(argv[2]);
    }
    sigaction(SIGTERM, &act, NULL); /* without SA_RESTART: it ends a wait */
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGUSR1, &act, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (networks_read(argv[3]) != 0) {
        die(argv[3]);
    }
    complain(journal);
    take_back(journal);
    journal->settled = 0;
    connect_engine();
    if (confirm) {
        if (write(STDOUT_FILENO, "OK\n", 3) != 3) {
            die("standard output");
        }
    } else {
        if (mkfifo(argv[1], 0600) != 0) {
            die(argv[1]);
        }
        /* For writing too: the input is not over when the receiver closes it. */
        input = open(argv[1], O_RDWR | O_CLOEXEC | O_NONBLOCK);
        if (input < 0) {
            die(argv[1]);
        }
        fcntl(input, F_SETPIPE_SZ, 1 << 18);
    }
    run(input, confirm);
    return 0;
}

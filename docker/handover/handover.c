/* ossec-handover: takes messages from the receiver and hands them to OSSEC's engine, waiting for the engine
 * where it is slow or away, so that the pressure goes back to the receiver and from there to the sender.
 *
 *   ossec-handover FIFO JOURNAL        lines "ADDRESS MESSAGE" from a FIFO that it makes (rsyslog's omfile)
 *   ossec-handover --confirm JOURNAL   the same from standard input, each answered "OK" (rsyslog's omprog)
 *   ossec-handover --say TEXT          one message of our own to the engine
 *   ossec-handover --settled JOURNAL   notes that the engine ended in order: it has analysed all that it took
 *   ossec-handover --counters JOURNAL
 *
 * Every message is in the journal before it is sent. What the engine held when it was killed, and did not write
 * to its archive, is sent again at the next start: a message may come twice then, but none is lost. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
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

#define ENGINE_SOCKET "/var/ossec/queue/ossec/queue"
#define ARCHIVE "/var/ossec/logs/archives/archives.log"
#define ENGINE_LIMIT 6143    /* bytes: OS_MAXSTR - 1, what the engine reads of one datagram */
#define ENGINE_HOLDS 512     /* messages, at the most, in the engine's own queues: see local_internal_options.conf */
#define ARCHIVE_TAIL 262144  /* bytes of the archive in which the last analysed message is looked for */
#define LINE_LIMIT 524288    /* bytes, above the receiver's maxMessageSize with every byte escaped */
#define RESERVE (1u << 20)   /* bytes of the journal, for what is in the FIFO and here when the engine is gone for good */
#define RETRY_MS 20          /* how often an engine that is away is looked for */
#define COMPLAIN_S 60

static struct journal *journal;
static int engine = -1;
static volatile sig_atomic_t ending = 0;

static void on_end(int sig)
{
    (void)sig;
    ending = 1;
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
        journal->unsent = next;
        journal->sent++;
    }
    return 1;
}

static void complain_of_cuts(void)
{
    static uint64_t told;
    static time_t last;
    time_t now = time(NULL);

    if (journal->cut > told && now - last >= COMPLAIN_S) {
        fprintf(stderr, "ossec-handover: %llu messages were longer than the %d bytes that the engine reads, and were cut\n",
                (unsigned long long)(journal->cut - told), ENGINE_LIMIT);
        told = journal->cut;
        last = now;
    }
}

/* "ADDRESS MESSAGE" becomes "2:LOCATION:MESSAGE", the engine's own form, where 2 is syslog (upstream's
 * headers/mq_op.h) and the location must have no colon, so that IPv6's become dashes. Returns its length. */
static uint32_t compose(char *line, size_t length, char *datagram)
{
    char *message = memchr(line, ' ', length);
    size_t address = message ? (size_t)(message - line) : 0;
    size_t room = ENGINE_LIMIT - address - 3;

    if (message == NULL || address > 64) {
        return 0;
    }
    length -= address + 1;
    if (length > room) {
        length = room;
        journal->cut++;
    }
    datagram[0] = '2';
    datagram[1] = ':';
    for (size_t i = 0; i < address; i++) {
        datagram[2 + i] = line[i] == ':' ? '-' : line[i];
    }
    datagram[2 + address] = ':';
    memcpy(datagram + 3 + address, message + 1, length);
    return (uint32_t)(3 + address + length);
}

/* The messages that the engine took but had not analysed when it was killed are sent again. It works in order
 * and writes each message to its archive, so they are those behind the archive's last one. */
static void take_back(void)
{
    static char tail[ARCHIVE_TAIL];
    static uint64_t positions[ENGINE_HOLDS];
    char datagram[JOURNAL_RECORD_MAX];
    uint32_t length;
    uint64_t from, position, count = 0;
    ssize_t got = 0;
    int fd;

    if (journal->settled) {
        return;
    }
    for (position = journal->oldest; position < journal->unsent;) {
        positions[count++ % ENGINE_HOLDS] = position;
        position = journal_read(journal, position, datagram, &length);
    }
    if (count == 0) {
        return;
    }
    fd = open(ARCHIVE, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        off_t size = lseek(fd, 0, SEEK_END);
        got = pread(fd, tail, sizeof(tail), size > ARCHIVE_TAIL ? size - ARCHIVE_TAIL : 0);
        close(fd);
    }
    /* From the newest message back to the first that the archive's tail has at the end of a line. */
    from = count > ENGINE_HOLDS ? count - ENGINE_HOLDS : 0;
    for (uint64_t n = count; got > 0 && n > from; n--) {
        char *message;

        journal_read(journal, positions[(n - 1) % ENGINE_HOLDS], datagram, &length);
        message = memchr(datagram + 2, ':', length - 2);
        message = message ? message + 1 : datagram;
        length -= (uint32_t)(message - datagram);
        if (length == 0) {
            continue;
        }
        for (char *found = tail; (found = memmem(found, (size_t)(tail + got - found), message, length)) != NULL; found++) {
            if (found > tail && found[-1] == ' ' && found + length < tail + got && found[length] == '\n') {
                from = n;
                break;
            }
        }
    }
    if (from < count) {
        journal->unsent = positions[from % ENGINE_HOLDS];
        journal->repeated += count - from;
        fprintf(stderr, "ossec-handover: the engine was killed; %llu messages that it held are sent again\n",
                (unsigned long long)(count - from));
    }
}

/* Puts each whole line of the buffer into the journal; what is left stays in it. Returns 0 if there was no room. */
static int take_in(char *buffer, size_t *filled, int confirm)
{
    char datagram[JOURNAL_RECORD_MAX];
    char *line = buffer, *end;
    int room = 1;

    while ((end = memchr(line, '\n', (size_t)(buffer + *filled - line))) != NULL) {
        uint32_t length = compose(line, (size_t)(end - line), datagram);

        if (length > 0 && !journal_add(journal, datagram, length, ending ? 0 : RESERVE)) {
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
        int there = send_on();
        int waiting = journal->unsent < journal->end;
        struct pollfd wanted[2] = {{open && room ? input : -1, POLLIN, 0}, {there && waiting ? engine : -1, POLLOUT, 0}};

        if (!room) {
            room = take_in(buffer, &filled, confirm);
            wanted[0].fd = open && room ? input : -1;
        }
        complain_of_cuts();
        if (poll(wanted, 2, ending ? (waiting && there ? RETRY_MS : 0) : !there ? RETRY_MS : !room ? RETRY_MS : 1000) < 0 &&
            errno != EINTR) {
            die("poll");
        }
        if (wanted[0].revents & (POLLIN | POLLHUP)) {
            ssize_t got = read(input, buffer + filled, sizeof(buffer) - filled);

            if (got > 0) {
                filled += (size_t)got;
                room = take_in(buffer, &filled, confirm);
                if (filled == sizeof(buffer)) {
                    filled = 0; /* no line is so long: the receiver cuts before */
                }
            } else if (got == 0) {
                open = 0;
                ending = 1;
            }
        } else if (ending && (!there || journal->unsent == journal->end)) {
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

static void print_counters(void)
{
    printf("received %llu\nsent %llu\ncut %llu\nrepeated %llu\nwaiting_bytes %llu\n",
           (unsigned long long)journal->received, (unsigned long long)journal->sent, (unsigned long long)journal->cut,
           (unsigned long long)journal->repeated, (unsigned long long)(journal->end - journal->unsent));
}

int main(int argc, char **argv)
{
    struct sigaction act = {.sa_handler = on_end};
    const char *mode = argc == 3 ? argv[1] : "";
    int confirm = strcmp(mode, "--confirm") == 0;
    int input = STDIN_FILENO;

    if (argc != 3) {
        fputs("usage: ossec-handover FIFO JOURNAL | --confirm JOURNAL | --say TEXT | --settled JOURNAL | "
              "--counters JOURNAL\n", stderr);
        return 64;
    }
    if (strcmp(mode, "--say") == 0) {
        return say(argv[2]);
    }
    journal = journal_open(argv[2]);
    if (journal == NULL) {
        die(argv[2]);
    }
    if (strcmp(mode, "--counters") == 0) {
        print_counters();
        return 0;
    }
    if (strcmp(mode, "--settled") == 0) {
        journal->settled = 1;
        return 0;
    }
    sigaction(SIGTERM, &act, NULL); /* without SA_RESTART: it ends a wait */
    sigaction(SIGINT, &act, NULL);
    signal(SIGPIPE, SIG_IGN);
    take_back();
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

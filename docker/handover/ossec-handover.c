/* Hands syslog messages from rsyslog's omprog to OSSEC's engine, and waits for the engine where it is slow
 * or away, so that the pressure goes back to rsyslog's queue and from there to the sender.
 *
 * In, on standard input: lines "ADDRESS MESSAGE", between the lines BEGIN and COMMIT (omprog's transactions).
 * Out, on standard output: omprog's confirmations. Each message is one datagram to the engine's socket, in the
 * engine's own form "2:LOCATION:MESSAGE" (2 is syslog, in upstream's headers/mq_op.h). */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ENGINE_SOCKET "/var/ossec/queue/ossec/queue"
#define ENGINE_LIMIT 6143 /* bytes: OS_MAXSTR - 1, what the engine reads of one datagram */
#define RETRY_NS 20000000L

static int engine = -1;

static void say(const char *word)
{
    puts(word);
    fflush(stdout);
}

static void wait_a_little(void)
{
    struct timespec pause = {0, RETRY_NS};
    nanosleep(&pause, NULL);
}

static int connect_engine(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = ENGINE_SOCKET};

    if (engine >= 0) {
        close(engine);
    }
    engine = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (engine < 0) {
        perror("ossec-handover: socket");
        exit(1);
    }
    return connect(engine, (struct sockaddr *)&address, sizeof(address));
}

/* A full socket blocks here; an engine that is away is asked again until it is back. */
static void deliver(const char *datagram, size_t length)
{
    while (send(engine, datagram, length, 0) < 0) {
        if (errno != EINTR && connect_engine() != 0) {
            wait_a_little();
        }
    }
}

/* Builds the datagram in place of the line: the address's colons (IPv6) would end the location early. */
static void hand_over(char *line, size_t length)
{
    static char datagram[ENGINE_LIMIT];
    char *message = memchr(line, ' ', length);
    size_t address, room;

    if (message == NULL) {
        return;
    }
    address = (size_t)(message - line);
    for (char *c = line; c < message; c++) {
        if (*c == ':') {
            *c = '-';
        }
    }
    length -= address + 1;
    room = sizeof(datagram) - address - 3;
    if (length > room) {
        length = room;
    }
    datagram[0] = '2';
    datagram[1] = ':';
    memcpy(datagram + 2, line, address);
    datagram[2 + address] = ':';
    memcpy(datagram + 3 + address, message + 1, length);
    deliver(datagram, 3 + address + length);
}

int main(void)
{
    char *line = NULL;
    size_t space = 0;
    ssize_t length;

    signal(SIGPIPE, SIG_IGN);
    connect_engine();
    say("OK");
    while ((length = getline(&line, &space, stdin)) > 0) {
        if (line[length - 1] == '\n') {
            length--;
        }
        line[length] = '\0';
        if (strcmp(line, "BEGIN") == 0 || strcmp(line, "COMMIT") == 0) {
            say("OK");
        } else {
            hand_over(line, (size_t)length);
            say("DEFER_COMMIT");
        }
    }
    return 0;
}

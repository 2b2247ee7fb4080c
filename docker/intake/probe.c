/* Asks every input for a sign of life, all at the same time: over UDP and TCP a line, which counts as received; of TLS
 * the server's first answer; of RELP the answer to "open". */
#define _GNU_SOURCE
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "intake.h"
#include "say.h"
#include "status.h"

#define DEADLINE_MS 3000
#define LOOK_MS 20

static const char *const names[INPUTS] = {"udp", "tcp", "tls", "relp"};

struct asked {
    int fd;
    int answered;
    uint64_t received; /* of that input, before */
};

static const struct state *page;

static uint64_t received(int input) { return __atomic_load_n(&page->received[input], __ATOMIC_RELAXED); }

static int milliseconds(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int)(time.tv_sec % 1000000) * 1000 + (int)(time.tv_nsec / 1000000);
}

/* A ClientHello that every server of TLS 1.2 or 1.3 answers, if only with an alert. */
static size_t client_hello(char *to)
{
    static const unsigned char hello[] = {
        22, 3, 1, 0, 158, 1, 0, 0, 154, 3, 3, /* a handshake: ClientHello, TLS 1.2 */
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
        0, /* no session */
        0, 18, 0x13, 1, 0x13, 2, 0x13, 3, 0xc0, 0x2b, 0xc0, 0x2f, 0xc0, 0x2c, 0xc0, 0x30, 0xcc, 0xa9, 0xcc, 0xa8, /* AES-GCM, ChaCha20 */
        1, 0, 0, 95, /* no compression */
        0, 10, 0, 8, 0, 6, 0, 29, 0, 23, 0, 24, /* curves: X25519, P-256, P-384 */
        0, 11, 0, 2, 1, 0, /* their points uncompressed */
        0, 13, 0, 22, 0, 20, 4, 3, 5, 3, 6, 3, 8, 7, 8, 4, 8, 5, 8, 6, 4, 1, 5, 1, 6, 1, /* signatures: ECDSA, Ed25519, RSA */
        0, 43, 0, 5, 4, 3, 4, 3, 3, /* or TLS 1.3 */
        0, 51, 0, 38, 0, 36, 0, 29, 0, 32, /* a key of X25519, which any 32 bytes are */
        9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
    };

    memcpy(to, hello, sizeof(hello));
    return sizeof(hello);
}

/* Of TLS the first answer is enough, whatever comes over it. */
static int answers_in_tls(int input) { return input == INPUT_TLS || (input == INPUT_RELP && page->relp_tls); }

static size_t words(int input, char *to, size_t room)
{
    static const char offers[] = "relp_version=0\nrelp_software=ossec-log-server\ncommands=syslog";
    char when[32];
    time_t now = time(NULL);
    struct tm parts;

    if (answers_in_tls(input)) {
        return client_hello(to);
    }
    switch (input) {
        case INPUT_RELP: return (size_t)snprintf(to, room, "1 open %zu %s\n", strlen(offers), offers);
        default:
            gmtime_r(&now, &parts);
            strftime(when, sizeof(when), "%b %e %H:%M:%S", &parts);
            return (size_t)snprintf(to, room, "<46>%s localhost ossec-log-server: health check over %s%s", when,
                                    names[input], input == INPUT_TCP ? "\n" : "");
    }
}

/* Sends to the input on 127.0.0.1; -1 where it can't. A port that listens takes it without waiting. */
static int ask(int input)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(page->ports[input]),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {DEADLINE_MS / 1000, 0};
    char text[256];
    size_t length = words(input, text, sizeof(text));
    int fd = socket(AF_INET, (input == INPUT_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)); /* it holds for connect, too */
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 || send(fd, text, length, 0) != (ssize_t)length) {
        close(fd);
        return -1;
    }
    return fd;
}

static int has_answered(int input, const struct asked *asked)
{
    char first[8] = "";

    if (input == INPUT_UDP || input == INPUT_TCP) {
        return received(input) > asked->received;
    }
    return recv(asked->fd, first, sizeof(first), MSG_DONTWAIT) >= 6 &&
           (answers_in_tls(input) ? first[0] == 22 || first[0] == 21 : memcmp(first, "1 rsp ", 6) == 0);
}

/* What does not answer, as words with commas between them; 0 when all do. */
static int wait_for_all(struct asked *asked, char *missing, size_t size)
{
    int until = milliseconds() + DEADLINE_MS, open;

    do {
        size_t length = 0;

        open = 0;
        missing[0] = '\0';
        for (int input = 0; input < INPUTS; input++) {
            if (page->ports[input] == 0 || asked[input].answered) {
                continue;
            }
            if (asked[input].fd >= 0 && has_answered(input, &asked[input])) {
                asked[input].answered = 1;
                continue;
            }
            open++;
            length += (size_t)snprintf(missing + length, size - length, "%s%s on port %u", length ? ", " : "", names[input],
                                       page->ports[input]);
        }
    } while (open > 0 && milliseconds() < until && poll(NULL, 0, LOOK_MS) == 0);
    return open;
}

int probe(void)
{
    struct asked asked[INPUTS];
    char missing[256];
    uint64_t beat;

    signal(SIGPIPE, SIG_IGN);
    if ((page = state_map()) == NULL || page->pid == 0 || kill((pid_t)page->pid, 0) != 0) {
        say("ossec-intake is not running");
        return EX_UNAVAILABLE;
    }
    if (__atomic_load_n(&page->held, __ATOMIC_RELAXED)) {
        say("nothing is taken in: the journal has reached OSSEC_QUEUE_DISK, or the volume is nearly full");
        return EX_UNAVAILABLE;
    }
    beat = __atomic_load_n(&page->beat, __ATOMIC_RELAXED);
    for (int input = 0; input < INPUTS; input++) {
        asked[input] = (struct asked){-1, 0, received(input)};
        if (page->ports[input] != 0) {
            asked[input].fd = ask(input);
        }
    }
    if (wait_for_all(asked, missing, sizeof(missing)) > 0) {
        say("%s: no answer within %d s%s", missing, DEADLINE_MS / 1000,
            __atomic_load_n(&page->beat, __ATOMIC_RELAXED) == beat ? "; ossec-intake does not move" : "");
        return EX_UNAVAILABLE;
    }
    return engine_moves(page);
}

#define _GNU_SOURCE
#include "greetings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy.h"
#include "say.h"

#define PATIENCE_MS 10000

struct greeting {
    struct watch watch;
    enum input input;
    struct source balancer;
    void (*then)(int fd, enum input input, const struct source *source);
    struct greeting *before, *next; /* in the order of their coming */
    uint64_t since;
    size_t length;                  /* bytes of the header that are read */
    long whole;                     /* bytes that it has, once that is known */
    struct proxied proxied;
    char head[PROXY_HEAD];
};

static struct greeting *oldest, *newest;
static size_t open_now;

size_t greetings_open(void) { return open_now; }

static void release(struct watch *watch) { free(watch); }

/* Lets go of it, but not of its socket, which is returned. */
static int unlist(struct greeting *g)
{
    *(g->before ? &g->before->next : &oldest) = g->next;
    *(g->next ? &g->next->before : &newest) = g->before;
    open_now--;
    return loop_take(&g->watch, release);
}

static void refuse(struct greeting *g, const char *why)
{
    char detail[128];

    snprintf(detail, sizeof(detail), "%s: %s", g->balancer.text, why);
    count(&state->refused, 1);
    notice(NOTICE_PROXY, 1, detail);
    close(unlist(g));
}

/* The header is there: the connection is that of the sender whom it names. */
static void hand_over(struct greeting *g)
{
    struct source source = g->balancer;
    int named = g->proxied.named, fd;

    if (named && memcmp(&g->proxied.address, &g->balancer.address, sizeof(g->balancer.address)) == 0) {
        named = 0; /* HAProxy checks so with version 1 */
    }
    if (named) {
        source_named(&g->proxied.address, &source);
    }
    fd = unlist(g);
    if (named || source.allowed || source.relay) {
        g->then(fd, g->input, &source);
    } else {
        close(fd); /* the balancer's own check whether somebody is there */
    }
}

/* Reads of the header what is there, and nothing behind it, as that may be TLS. 1 when it is through with the greeting. */
static int go_on(struct greeting *g)
{
    for (;;) {
        char skipped[512];
        size_t left = g->whole > 0 ? (size_t)g->whole - g->length : 0, room = sizeof(skipped) < left ? sizeof(skipped) : left;
        int looking = g->length < sizeof(g->head) && g->whole == 0;
        ssize_t got = looking ? recv(g->watch.fd, g->head + g->length, sizeof(g->head) - g->length, MSG_PEEK)
                              : recv(g->watch.fd, skipped, room, 0);

        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            return 0;
        }
        if (got <= 0) {
            if (g->length > 0) {
                refuse(g, "it ended within its header");
            } else {
                close(unlist(g)); /* a check whether somebody is there */
            }
            return 1;
        }
        if (looking) {
            g->whole = proxy_read(g->head, g->length + (size_t)got, &g->proxied);
            if (g->whole < 0) {
                refuse(g, "it does not begin with a PROXY header");
                return 1;
            }
            if (g->whole > 0 && (size_t)got > (size_t)g->whole - g->length) {
                got = (ssize_t)((size_t)g->whole - g->length);
            }
            if (recv(g->watch.fd, g->head + g->length, (size_t)got, 0) != got) {
                refuse(g, "its header cannot be read");
                return 1;
            }
        }
        g->length += (size_t)got;
        if (g->whole > 0 && g->length == (size_t)g->whole) {
            hand_over(g);
            return 1;
        }
    }
}

static void ready(struct watch *watch, uint32_t events)
{
    (void)events;
    go_on((struct greeting *)watch);
}

int greeting_begin(int fd, enum input input, const struct source *balancer,
                   void (*then)(int fd, enum input input, const struct source *source))
{
    struct greeting *g = calloc(1, sizeof(*g));

    if (g == NULL) {
        close(fd);
        return 0;
    }
    g->watch = (struct watch){ready, fd, 0};
    g->input = input;
    g->balancer = *balancer;
    g->then = then;
    g->since = loop_now();
    if (loop_add(&g->watch, EPOLLIN) != 0) {
        close(fd);
        free(g);
        return 0;
    }
    g->before = newest;
    *(newest ? &newest->next : &oldest) = g;
    newest = g;
    open_now++;
    return 1;
}

void greetings_tend(void)
{
    while (oldest != NULL && loop_now() - oldest->since >= PATIENCE_MS) {
        if (!go_on(oldest)) {
            refuse(oldest, "no whole PROXY header came within 10 s");
        }
    }
}

void greetings_look(void)
{
    for (struct greeting *g = oldest, *next; g != NULL; g = next) {
        next = g->next;
        go_on(g);
    }
}

void greetings_end(void)
{
    while (oldest != NULL) {
        close(unlist(oldest));
    }
}

#define _GNU_SOURCE
#include "connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connections.h"
#include "run.h"
#include "tls.h"

#define AT_ONCE 32000            /* bytes that are read with one call; a line of two may make a record of 130 */
#define ALL (AT_ONCE - 16384)    /* what brings fewer bytes than a record of TLS below AT_ONCE has left nothing */
#define LEFT_MAX (FRAME_LIMIT + 4096)
#define ROUNDS 64                /* reads of one connection before the others' turn */
#define OUT_MOST (1u << 16)      /* bytes for a peer that does not read; it is not read from then */
#define HANDSHAKE_MS 10000
#define HANDSHAKES 8             /* steps of handshakes in a turn of the loop, as each takes up to a millisecond */
#define STALLED_MS 10000         /* a message that does not go on for so long has a wrong count */

static void release(struct watch *watch) { free(watch); }

void connection_close(struct connection *c)
{
    if (c->watch.fd < 0) {
        return;
    }
    if (!c->handshaking && !c->hung_up) {
        c->transport->hang_up(c);
    }
    c->transport->end(c);
    c->protocol->end(c);
    source_disconnected(&c->source);
    connections_remove(c);
    free(c->left);
    free(c->out);
    loop_free(&c->watch, release);
}

static ssize_t plain_read(struct connection *c, char *to, size_t room) { return read(c->watch.fd, to, room); }

static ssize_t plain_write(struct connection *c, const char *from, size_t length)
{
    return send(c->watch.fd, from, length, MSG_NOSIGNAL);
}

static void plain_hang_up(struct connection *c) { shutdown(c->watch.fd, SHUT_WR); }

static void plain_end(struct connection *c) { (void)c; }

const struct transport plain_transport = {plain_read, plain_write, plain_hang_up, plain_end};

static size_t lines_take(struct connection *c, const char *bytes, size_t length, int last)
{
    struct frame frame;
    size_t used = 0;

    while (frames_next(&c->frames, bytes + used, length - used, last, &frame)) {
        take_line(c->input, &c->source, frame.text, frame.length);
        used += frame.used;
    }
    return used;
}

static int lines_wait(struct connection *c)
{
    (void)c;
    return 0;
}

static void lines_end(struct connection *c) { (void)c; }

const struct protocol lines_protocol = {lines_take, lines_wait, lines_end};

static void write_out(struct connection *c)
{
    size_t written = 0;

    while (written < c->out_length) {
        ssize_t got = c->transport->write(c, c->out + written, c->out_length - written);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && errno != EAGAIN) {
            c->out_length = written = 0; /* nobody reads it */
            c->ended = c->closing = 1;
        }
        if (got < 0) {
            break;
        }
        written += (size_t)got;
    }
    c->out_length -= written;
    memmove(c->out, c->out + written, c->out_length);
    if (c->out_length == 0) {
        free(c->out);
        c->out = NULL;
        c->out_room = 0;
    }
}

void connection_send(struct connection *c, const char *bytes, size_t length)
{
    if (c->out_length + length > c->out_room) {
        size_t room = 2 * (c->out_length + length);
        char *more = realloc(c->out, room);

        if (more == NULL) {
            c->ended = c->closing = 1;
            return;
        }
        c->out = more;
        c->out_room = room;
    }
    memcpy(c->out + c->out_length, bytes, length);
    c->out_length += length;
}

void connection_settle(struct connection *c)
{
    uint32_t events;

    if (c->watch.fd < 0) {
        return;
    }
    if (c->out_length > 0 && !c->handshaking) {
        write_out(c);
    }
    if (c->out_length == 0 && (c->closing || (c->ended && !c->protocol->waits(c)))) {
        connection_close(c);
        return;
    }
    events = c->out_length > 0 || c->wants_out ? EPOLLOUT : 0;
    if (!c->ended && !c->closing && c->out_length < OUT_MOST && c->relp.count < RELP_UNANSWERED) {
        events |= EPOLLIN;
    }
    loop_change(&c->watch, events);
}

/* Keeps what is no whole message yet. */
static int keep(struct connection *c, const char *bytes, size_t length)
{
    if (length > c->left_room) {
        char *more = realloc(c->left, length);

        if (more == NULL) {
            return 0;
        }
        c->left = more;
        c->left_room = length;
    } else if (length == 0) {
        free(c->left); /* most connections are silent most of the time */
        c->left = NULL;
        c->left_room = 0;
    }
    if (length > 0) {
        memcpy(c->left, bytes, length);
    }
    c->left_length = length;
    return 1;
}

static void take(struct connection *c, const char *bytes, size_t length, int last)
{
    size_t used = c->protocol->take(c, bytes, length, last);

    if (!keep(c, bytes + used, last ? 0 : length - used)) {
        c->ended = c->closing = 1;
    }
}

void connection_hang_up(struct connection *c)
{
    if (c->protocol == &lines_protocol && !c->handshaking && !c->hung_up) {
        c->hung_up = 1;
        c->transport->hang_up(c);
    }
}

static void take_last(struct connection *c)
{
    char *bytes = c->left;
    size_t length = c->left_length;

    c->left = NULL;
    c->left_length = c->left_room = 0;
    take(c, bytes, length, 1);
    free(bytes);
}

static void handshake(struct connection *c)
{
    static uint64_t turn, steps;
    int up;

    if (turn != state->beat) {
        turn = state->beat;
        steps = 0;
    }
    if (++steps > HANDSHAKES) {
        return; /* the loop comes back to it */
    }
    up = tls_handshake(c);
    if (up > 0) {
        c->handshaking = 0;
    } else if (up < 0) {
        c->ended = c->closing = 1;
    }
}

void connection_read(struct connection *c)
{
    static char buffer[LEFT_MAX + AT_ONCE];
    _Static_assert(AT_ONCE / 2 * 130 < JOURNAL_ROOM, "what is read can be written");

    if (c->handshaking) {
        handshake(c);
    }
    for (ssize_t got = AT_ONCE, round = 0; !c->handshaking && !c->ended; round++) {
        if ((!c->again && (got <= ALL || round == ROUNDS)) || !may_take()) {
            break; /* the loop comes back to what is left */
        }
        got = c->transport->read(c, buffer + c->left_length, AT_ONCE);

        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            break;
        }
        if (got <= 0) {
            /* Closed or reset: what was read before counts. */
            c->ended = 1;
            c->closing = got < 0;
            take_last(c);
            break;
        }
        connections_heard(c);
        c->since = loop_now();
        if (c->left_length > 0) {
            memcpy(buffer, c->left, c->left_length);
        }
        take(c, buffer, c->left_length + (size_t)got, 0);
    }
}

static void connection_ready(struct watch *watch, uint32_t events)
{
    struct connection *c = (struct connection *)watch;

    if (events & EPOLLIN || c->handshaking || c->wants_out) {
        connection_read(c);
    } else if (events & (EPOLLERR | EPOLLHUP)) {
        c->ended = c->closing = 1; /* nobody is there to be told what it waits for */
        c->out_length = 0;
    }
    connection_settle(c);
}

int connection_make(int fd, enum input input, const struct source *source)
{
    struct connection *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        close(fd);
        return 0;
    }
    c->watch.ready = connection_ready;
    c->watch.fd = fd;
    c->input = input;
    c->source = *source;
    c->since = loop_now();
    c->transport = &plain_transport;
    c->protocol = input == INPUT_RELP ? &relp_protocol : &lines_protocol;
    if ((uses_tls(input) && !tls_begin(c)) || loop_add(&c->watch, EPOLLIN) != 0) {
        c->transport->end(c);
        close(fd);
        free(c);
        return 0;
    }
    connections_add(c);
    return 1;
}

void connection_tend(struct connection *c)
{
    uint64_t silent = loop_now() - c->since;

    if (c->handshaking && silent >= HANDSHAKE_MS) {
        tls_failed(c, "the handshake was not finished within 10 s");
        connection_close(c);
    } else if (c->left_length > 0 && silent >= STALLED_MS && c->protocol == &lines_protocol &&
               frames_stalled(c->left, c->left_length)) {
        take_last(c);
    }
}

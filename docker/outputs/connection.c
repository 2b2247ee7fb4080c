#include "connection.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "deadline.h"
#include "tls.h"

#define GRACE_MS 1000  /* in which a peer that does not want us ends the connection */
#define JUDGE_MS 3000  /* for one that sends nothing when it has judged our certificate */
#define READS 64       /* of what a peer says unasked, at once */

int connection_broken(struct target *t, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(t->why, sizeof(t->why), format, arguments);
    va_end(arguments);
    connection_close(t);
    return -1;
}

void connection_close(struct target *t)
{
    tls_end(t);
    if (t->socket >= 0) {
        close(t->socket);
    }
    t->socket = -1;
    t->length = 0;
}

int connection_wait(struct target *t, int64_t deadline)
{
    int ready = wait_until(t->socket, t->wants, deadline);

    return ready > 0 ? 0 : connection_broken(t, "%s", ready == 0 ? "no answer" : strerror(errno));
}

static int is_later(int problem)
{
    return problem == EAGAIN || problem == EWOULDBLOCK || problem == EINTR;
}

long connection_read(struct target *t, char *data, size_t size)
{
    long result;

    if (t->tls != NULL) {
        return tls_read(t, data, size);
    }
    t->wants = POLLIN;
    result = recv(t->socket, data, size, 0);
    if (result > 0) {
        return result;
    }
    if (result < 0 && is_later(errno)) {
        return 0;
    }
    return connection_broken(t, "%s", result == 0 ? "the connection ended" : strerror(errno));
}

static long write_some(struct target *t, const char *data, size_t length)
{
    long result;

    if (t->tls != NULL) {
        return tls_write(t, data, length);
    }
    t->wants = POLLOUT;
    result = send(t->socket, data, length, MSG_NOSIGNAL);
    if (result >= 0) {
        return result;
    }
    return is_later(errno) ? 0 : connection_broken(t, "%s", strerror(errno));
}

int connection_flush(struct target *t)
{
    const char *data = t->buffer;
    size_t left = t->length;

    t->length = 0;
    while (left > 0) {
        long result = write_some(t, data, left);

        if (result < 0 || (result == 0 && connection_wait(t, deadline_for_answer()) != 0)) {
            return -1;
        }
        data += result;
        left -= (size_t)result;
    }
    return 0;
}

int connection_put(struct target *t, const char *data, size_t length)
{
    while (length > 0) {
        size_t room = sizeof(t->buffer) - t->length, part = length < room ? length : room;

        memcpy(t->buffer + t->length, data, part);
        t->length += part;
        data += part;
        length -= part;
        if (t->length == sizeof(t->buffer) && connection_flush(t) != 0) {
            return -1;
        }
    }
    return 0;
}

static int connect_to(struct target *t, const struct addrinfo *to)
{
    int problem = 0, on = 1, idle = 60;
    socklen_t size = sizeof(problem);

    t->socket = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (t->socket < 0) {
        return connection_broken(t, "%s", strerror(errno));
    }
    setsockopt(t->socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(t->socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    setsockopt(t->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(t->socket, to->ai_addr, to->ai_addrlen) != 0) {
        if (errno != EINPROGRESS) {
            return connection_broken(t, "%s", strerror(errno));
        }
        t->wants = POLLOUT;
        if (connection_wait(t, deadline_for_answer()) != 0) {
            return -1;
        }
        if (getsockopt(t->socket, SOL_SOCKET, SO_ERROR, &problem, &size) != 0) {
            problem = errno;
        }
    }
    return problem ? connection_broken(t, "%s", strerror(problem)) : 0;
}

int connection_open(struct target *t)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    int problem;

    may_end_at_once(1);
    problem = getaddrinfo(t->host, t->port, &hints, &found);
    may_end_at_once(0);
    if (problem != 0) {
        return connection_broken(t, "%s", problem == EAI_SYSTEM ? strerror(errno) : gai_strerror(problem));
    }
    for (const struct addrinfo *to = found; to != NULL && t->socket < 0; to = to->ai_next) {
        connect_to(t, to);
    }
    freeaddrinfo(found);
    t->opened_at = now_ms();
    t->proven = t->accepted = t->shows_certificate = 0;
    return t->socket < 0 ? -1 : 0;
}

/* What a peer of TCP or TLS says is not looked at, but for its end. */
static int has_ended(struct target *t)
{
    char ignored[4096];
    long result = 1;

    for (int i = 0; i < READS && result > 0; i++) {
        result = connection_read(t, ignored, sizeof(ignored));
    }
    return result < 0;
}

/* When the peer, if it still keeps the connection, has had the time to judge us. */
static int64_t proven_at(const struct target *t)
{
    return t->opened_at + (t->shows_certificate && !t->accepted ? JUDGE_MS : GRACE_MS);
}

int connection_confirm(struct target *t)
{
    int64_t deadline = deadline_for_answer();
    int waiting = 0, before = -1;

    if (connection_flush(t) != 0) {
        return -1;
    }
    while (!has_ended(t)) {
        if (ioctl(t->socket, SIOCOUTQ, &waiting) != 0) {
            return connection_broken(t, "%s", strerror(errno));
        }
        t->proven |= now_ms() >= proven_at(t);
        if (waiting == 0 && t->proven) {
            return 0;
        }
        if (waiting != before) {
            deadline = deadline_for_answer();
            before = waiting;
        }
        if (end_is_over() || (waiting > 0 && is_over(&deadline))) {
            return connection_broken(t, "no answer");
        }
        wait_until(t->socket, POLLIN, waiting > 0 ? now_ms() + 1 : proven_at(t));
    }
    return -1;
}

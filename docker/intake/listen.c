#define _GNU_SOURCE
#include "listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connections.h"
#include "greetings.h"
#include "say.h"

#define BACKLOG 4096
#define AT_ONCE 64 /* accepted before the others' turn */

struct listener {
    struct watch watch;
    enum input input;
};
static struct listener listeners[INPUTS];

static void explain(int type, unsigned port, char *problem, size_t size)
{
    const char *protocol = type == SOCK_DGRAM ? "udp" : "tcp";
    int why = errno;

    if (why == EACCES || why == EPERM) {
        snprintf(problem, size, "port %u/%s cannot be opened by UID %u, as ports below the host's "
                 "net.ipv4.ip_unprivileged_port_start need a capability; run it with --sysctl "
                 "net.ipv4.ip_unprivileged_port_start=0, or set OSSEC_SYSLOG_PORT to a port from 1024 on", port, protocol,
                 (unsigned)getuid());
    } else if (why == EADDRINUSE) {
        snprintf(problem, size, "port %u/%s is in use by another process of this network; end that one, or set "
                 "OSSEC_SYSLOG_PORT to another port where it is that of OSSEC_SYSLOG_PORT", port, protocol);
    } else {
        snprintf(problem, size, "port %u/%s cannot be opened: %s", port, protocol, strerror(why));
    }
}

static int open_for(int family, int type, unsigned port)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = in6addr_any};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    const struct sockaddr *address = family == AF_INET6 ? (struct sockaddr *)&six : (struct sockaddr *)&four;
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1, no = 0, why;

    if (fd < 0) {
        return -1;
    }
    if ((family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no)) != 0) ||
        (type == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0) ||
        bind(fd, address, family == AF_INET6 ? sizeof(six) : sizeof(four)) != 0 ||
        (type == SOCK_STREAM && listen(fd, BACKLOG) != 0)) {
        why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

int listen_open(int type, unsigned port, char *problem, size_t size)
{
    int fd = open_for(AF_INET6, type, port);

    /* Without IPv6, in the kernel, the network or the container's rights, there is IPv4 alone. */
    if (fd < 0 && errno != EADDRINUSE && errno != EACCES) {
        fd = open_for(AF_INET, type, port);
    }
    if (fd < 0) {
        explain(type, port, problem, size);
    }
    return fd;
}

static void keep_alive(int fd)
{
    int yes = 1, idle = 60, apart = 10, times = 6, user = 120000;

    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &apart, sizeof(apart));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof(times));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user, sizeof(user));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
}

static int is_place(void)
{
    return connections_open() + greetings_open() < settings.connections || connections_make_place();
}

/* Lets it in, or closes it. */
static void judge(int fd, enum input input, const struct source *source)
{
    if (!source->allowed && !source->relay) {
        count(&state->refused, 1);
        notice(NOTICE_REFUSED, 1, source->text);
    } else if (!is_place()) {
        count(&state->limited, 1);
        notice(NOTICE_CONNECTIONS, 1, source->text);
    } else if (!source_connected(source, settings.per_source)) {
        count(&state->limited, 1);
        notice(NOTICE_SOURCE, 1, source->text);
    } else {
        keep_alive(fd);
        if (!connection_make(fd, input, source)) {
            source_disconnected(source);
        }
        return;
    }
    close(fd);
}

/* Asks a balancer first whose connection it is. */
static void judge_balancer(int fd, enum input input, const struct source *balancer)
{
    if (!is_place()) {
        count(&state->limited, 1);
        notice(NOTICE_CONNECTIONS, 1, balancer->text);
        close(fd);
    } else {
        keep_alive(fd);
        greeting_begin(fd, input, balancer, judge);
    }
}

static void pause_all(int why)
{
    count(&state->no_descriptors, 1);
    notice(NOTICE_DESCRIPTORS, 1, strerror(why));
    for (int n = 0; n < INPUTS; n++) {
        if (listeners[n].watch.fd > 0) {
            loop_change(&listeners[n].watch, 0);
        }
    }
}

static int accept_one(struct listener *listener)
{
    struct sockaddr_storage from;
    socklen_t length = sizeof(from);
    int fd = accept4(listener->watch.fd, (struct sockaddr *)&from, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
        const struct source *source = source_of(&from);

        (source->proxy ? judge_balancer : judge)(fd, listener->input, source);
        return 1;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        pause_all(errno);
    }
    /* Others are of a connection that is gone again (accept(2)), and the next may be there. */
    return errno == ECONNABORTED || errno == EPROTO || errno == EINTR;
}

static void accept_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    for (int n = 0; n < AT_ONCE && accept_one((struct listener *)watch); n++) {
    }
}

int listen_accept(int fd, enum input input)
{
    struct listener *listener = &listeners[input];

    listener->watch = (struct watch){accept_ready, fd, 0};
    listener->input = input;
    return loop_add(&listener->watch, EPOLLIN);
}

void listen_resume(void)
{
    for (int n = 0; n < INPUTS; n++) {
        if (listeners[n].watch.fd > 0) {
            loop_change(&listeners[n].watch, EPOLLIN);
        }
    }
}

/* A listener that is bound to the loopback interface gets nothing from elsewhere. That needs no right since Linux 5.7, other
 * than a filter of packets, which kernel.unprivileged_bpf_disabled forbids. */
void listen_refuse_new(void)
{
    for (int n = 0; n < INPUTS; n++) {
        if (listeners[n].watch.fd > 0) {
            setsockopt(listeners[n].watch.fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", sizeof("lo"));
        }
    }
}

void listen_accept_waiting(void)
{
    for (int n = 0; n < INPUTS; n++) {
        if (listeners[n].watch.fd > 0) {
            for (int some = 0; some < BACKLOG && accept_one(&listeners[n]); some++) {
            }
        }
    }
}

void listen_end(void)
{
    for (int n = 0; n < INPUTS; n++) {
        if (listeners[n].watch.fd > 0) {
            close(listeners[n].watch.fd);
            listeners[n].watch.fd = -1;
        }
    }
}

#include "connections.h"

#include <sys/ioctl.h>

#define SILENT_MS 10000 /* so long has been silent whose place another may have */

static struct connection *oldest, *newest;
static struct connection *silent_oldest, *silent_newest;
static size_t open_now;

size_t connections_open(void) { return open_now; }

void connections_add(struct connection *c)
{
    c->before = newest;
    *(newest ? &newest->next : &oldest) = c;
    newest = c;
    c->silent_before = silent_newest;
    *(silent_newest ? &silent_newest->silent_next : &silent_oldest) = c;
    silent_newest = c;
    __atomic_store_n(&state->connections, ++open_now, __ATOMIC_RELAXED);
}

void connections_heard(struct connection *c)
{
    if (!c->heard) {
        c->heard = 1;
        *(c->silent_before ? &c->silent_before->silent_next : &silent_oldest) = c->silent_next;
        *(c->silent_next ? &c->silent_next->silent_before : &silent_newest) = c->silent_before;
    }
}

void connections_remove(struct connection *c)
{
    connections_heard(c);
    *(c->before ? &c->before->next : &oldest) = c->next;
    *(c->next ? &c->next->before : &newest) = c->before;
    __atomic_store_n(&state->connections, --open_now, __ATOMIC_RELAXED);
}

int connections_make_place(void)
{
    if (silent_oldest == NULL || loop_now() - silent_oldest->since < SILENT_MS) {
        return 0;
    }
    connection_close(silent_oldest);
    return 1;
}

void connections_each(void (*what)(struct connection *c))
{
    for (struct connection *c = oldest, *next; c != NULL; c = next) {
        next = c->next;
        what(c);
    }
}

static struct drained drained;

static void drain(struct connection *c)
{
    int is_lines = c->protocol == &lines_protocol;

    connection_hang_up(c);
    connection_read(c);
    drained.unfinished |= c->left_length > 0 && !c->ended;
    drained.open += is_lines && !c->ended;
    if (is_lines && c->since > drained.heard) {
        drained.heard = c->since;
    }
    connection_settle(c);
}

struct drained connections_drain(void)
{
    drained = (struct drained){0};
    connections_each(drain);
    return drained;
}

static size_t unread;

static void count_unread(struct connection *c)
{
    int bytes = 0;

    unread += c->protocol == &lines_protocol && c->watch.fd >= 0 && !c->ended &&
              ioctl(c->watch.fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

size_t connections_unread(void)
{
    unread = 0;
    connections_each(count_unread);
    return unread;
}

#define _GNU_SOURCE
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 256

/* Two sets: while nothing is taken in, only the second is waited for. What is in the first and has something to say would
 * wake the loop all the time. */
static int all = -1, control = -1;
static uint64_t now;

struct freed {
    struct watch *watch;
    void (*release)(struct watch *watch);
};
static struct freed *freed;
static size_t freed_count, freed_room;

uint64_t loop_now(void) { return now; }

void loop_look_at_clock(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    now = (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

int loop_make(void)
{
    loop_look_at_clock();
    all = epoll_create1(EPOLL_CLOEXEC);
    control = epoll_create1(EPOLL_CLOEXEC);
    return all < 0 || control < 0 ? -1 : 0;
}

static int add(int set, struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};

    return epoll_ctl(set, EPOLL_CTL_ADD, watch->fd, &event);
}

int loop_add(struct watch *watch, uint32_t events)
{
    watch->events = events;
    return add(all, watch, events);
}

int loop_add_control(struct watch *watch)
{
    watch->events = EPOLLIN;
    return add(all, watch, EPOLLIN) != 0 ? -1 : add(control, watch, EPOLLIN);
}

void loop_change(struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};

    if (watch->events != events && epoll_ctl(all, EPOLL_CTL_MOD, watch->fd, &event) == 0) {
        watch->events = events;
    }
}

static void nothing(struct watch *watch, uint32_t events)
{
    (void)watch, (void)events;
}

int loop_take(struct watch *watch, void (*release)(struct watch *watch))
{
    int fd = watch->fd;

    epoll_ctl(all, EPOLL_CTL_DEL, fd, NULL);
    watch->fd = -1;
    loop_free(watch, release);
    return fd;
}

void loop_free(struct watch *watch, void (*release)(struct watch *watch))
{
    if (watch->fd >= 0) {
        close(watch->fd); /* it leaves the sets by that */
    }
    watch->fd = -1;
    watch->ready = nothing;
    if (freed_count == freed_room) {
        freed_room = freed_room ? 2 * freed_room : 64;
        if ((freed = reallocarray(freed, freed_room, sizeof(*freed))) == NULL) {
            abort();
        }
    }
    freed[freed_count++] = (struct freed){watch, release};
}

void loop_release(void)
{
    for (size_t n = 0; n < freed_count; n++) {
        freed[n].release(freed[n].watch);
    }
    freed_count = 0;
}

void loop_turn(int held, int patience)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(held ? control : all, events, EVENTS, patience);

    loop_look_at_clock();
    for (int n = 0; n < count; n++) {
        struct watch *watch = events[n].data.ptr;

        watch->ready(watch, events[n].events);
    }
    loop_release();
}

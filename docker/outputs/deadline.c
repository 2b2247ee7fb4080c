#include "deadline.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 10000 /* for an answer */
#define LAST_MS 1000      /* for an answer, once it has been asked to end */
#define END_MS 2000       /* for what is left, once it has been asked to end */
#define TICK_US 100000

static volatile sig_atomic_t ending, at_once, ticks; /* ticks: within a call that nothing interrupts */

static void on_end(int signal)
{
    /* A wait or a write that began just before is interrupted, too. */
    struct itimerval tick = {{0, TICK_US}, {0, TICK_US}};

    (void)signal;
    ending = 1;
    setitimer(ITIMER_REAL, &tick, NULL);
}

static void on_tick(int signal)
{
    (void)signal;
    if (at_once && ++ticks >= LAST_MS * 1000 / TICK_US) {
        _exit(0);
    }
}

void deadline_watch_signals(void)
{
    struct sigaction act;

    memset(&act, 0, sizeof(act)); /* without SA_RESTART */
    act.sa_handler = on_tick;
    sigaction(SIGALRM, &act, NULL);
    act.sa_handler = on_end;
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGINT, &act, NULL);
    signal(SIGPIPE, SIG_IGN);
}

void may_end_at_once(int may)
{
    ticks = 0;
    at_once = may;
}

int asked_to_end(void)
{
    return ending;
}

int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* When the end was first seen to be asked for; handlers only set flags. */
static int64_t asked_at(void)
{
    static int64_t at;

    if (at == 0) {
        at = now_ms();
    }
    return at;
}

int end_is_over(void)
{
    return ending && now_ms() >= asked_at() + END_MS;
}

int64_t deadline_for_answer(void)
{
    return now_ms() + (ending ? LAST_MS : PATIENCE_MS);
}

int is_over(int64_t *deadline)
{
    int64_t now = now_ms();

    if (ending && *deadline > now + LAST_MS) { /* set before it was asked to end */
        *deadline = now + LAST_MS;
    }
    return now >= *deadline || end_is_over();
}

int wait_until(int file, short events, int64_t deadline)
{
    struct pollfd one = {file, events, 0};

    for (;;) {
        int over = is_over(&deadline), ready;
        int64_t left = over ? 0 : deadline - now_ms();

        ready = poll(&one, 1, left > 0 ? (int)left : 0);

        if (ready >= 0 || errno != EINTR) {
            return ready;
        }
    }
}

void pause_ms(int64_t milliseconds)
{
    poll(NULL, 0, (int)milliseconds);
}

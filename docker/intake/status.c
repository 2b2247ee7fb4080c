#define _GNU_SOURCE
#include "status.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sysexits.h>

#include "say.h"

#define SOON_MS 2000 /* in which what came last is expected to be done */
#define MOVE_MS 3000 /* in which an engine with much before it is expected to get on at all */
#define LOOK_MS 20

static const struct {
    const char *name;
    size_t place;
} counters[] = {
    {"received_udp", offsetof(struct state, received[INPUT_UDP])},
    {"received_tcp", offsetof(struct state, received[INPUT_TCP])},
    {"received_tls", offsetof(struct state, received[INPUT_TLS])},
    {"received_relp", offsetof(struct state, received[INPUT_RELP])},
    {"lost_udp", offsetof(struct state, lost_udp)},
    {"refused", offsetof(struct state, refused)},
    {"limited", offsetof(struct state, limited)},
    {"no_descriptors", offsetof(struct state, no_descriptors)},
    {"connections", offsetof(struct state, connections)},
    {"cut", offsetof(struct state, cut)},
    {"certificate_expires", offsetof(struct state, certificate_end)},
    {"held", offsetof(struct state, held)},
    {"damaged_bytes", offsetof(struct state, damaged)},
    {"analysed", offsetof(struct state, analysed)},
    {"alerts", offsetof(struct state, alerts)},
};
_Static_assert(sizeof(counters) / sizeof(counters[0]) + 2 <= STATUS_COUNTERS, "room for all, and for the two that are sums");

static uint64_t value(const uint64_t *of) { return __atomic_load_n(of, __ATOMIC_ACQUIRE); }

static const struct state *page;

int status_is_there(void)
{
    if ((page = state_map()) == NULL) {
        say("ossec-intake is not running");
    }
    return page != NULL;
}

size_t status_counters(struct counter all[STATUS_COUNTERS])
{
    uint64_t received = 0, done;
    size_t count = 0;

    for (; count < sizeof(counters) / sizeof(counters[0]); count++) {
        const char *at = (const char *)page + counters[count].place;

        all[count] = (struct counter){counters[count].name, value((const uint64_t *)at)};
    }
    for (int input = 0; input < INPUTS; input++) {
        received += value(&page->received[input]);
    }
    done = value(&page->done); /* before the other, which is never behind it */
    all[count++] = (struct counter){"received", received};
    all[count++] = (struct counter){"waiting_bytes", value(&page->flushed) - done};
    return count;
}

int status(void)
{
    struct counter all[STATUS_COUNTERS];
    size_t count;

    if (!status_is_there()) {
        return EX_UNAVAILABLE;
    }
    count = status_counters(all);
    for (size_t n = 0; n < count; n++) {
        printf("%s %" PRIu64 "\n", all[n].name, all[n].value);
    }
    return 0;
}

int ready(void)
{
    if ((page = state_map()) == NULL || page->pid == 0 || kill((pid_t)page->pid, 0) != 0) {
        say("ossec-intake does not take syslog yet");
        return EX_UNAVAILABLE;
    }
    if (!__atomic_load_n(&page->engine_ready, __ATOMIC_ACQUIRE)) {
        say("ossec-analysisd does not analyse yet");
        return EX_UNAVAILABLE;
    }
    return 0;
}

static int done_until(const struct state *of, uint64_t position, int patience)
{
    for (int waited = 0; value(&of->done) < position; waited += LOOK_MS) {
        if (waited >= patience) {
            return 0;
        }
        poll(NULL, 0, LOOK_MS);
    }
    return 1;
}

int engine_moves(const struct state *of)
{
    uint64_t position = value(&of->flushed), before;

    if (done_until(of, position, SOON_MS)) {
        return 0;
    }
    before = value(&of->done);
    if (done_until(of, before + 1, MOVE_MS)) {
        return 0;
    }
    say("ossec-analysisd does not get on: %" PRIu64 " bytes wait in the journal", position - before);
    return EX_UNAVAILABLE;
}

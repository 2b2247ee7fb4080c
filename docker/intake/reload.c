#define _GNU_SOURCE
#include "reload.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sysexits.h>

#include "connections.h"
#include "options.h"
#include "prepare.h"
#include "run.h"
#include "say.h"
#include "sources.h"
#include "tls.h"

#define PATIENCE_MS 10000
#define LOOK_MS 10

/* What came before its sender was shut out counts. */
static void judge_again(struct connection *c)
{
    if (source_may_send(&c->source)) {
        return;
    }
    count(&state->refused, 1);
    notice(NOTICE_REFUSED, 1, c->source.text);
    connection_read(c);
    connection_close(c);
}

static int same_inputs(void)
{
    for (int input = 0; input < INPUTS; input++) {
        if (settings.ports[input] != state->ports[input]) {
            return 0;
        }
    }
    return (uint32_t)settings.relp_tls == state->relp_tls;
}

static int read_again(void)
{
    if (options_again() != 0) {
        return 0;
    }
    if (!same_inputs()) {
        say("other ports or protocols need a restart of the container");
    } else if (prepare() == 0) {
        options_keep();
        return 1;
    }
    options_undo();
    return 0;
}

void reload(void)
{
    if (!read_again()) {
        count(&state->reloads_refused, 1);
        return;
    }
    count_descriptors();
    state->certificate_end = tls_expires();
    connections_each(judge_again);
    count(&state->reloads, 1);
}

static uint64_t value(const uint64_t *of) { return __atomic_load_n(of, __ATOMIC_ACQUIRE); }

int reload_running(void)
{
    const struct state *page = state_map();
    uint64_t done, refused;

    if (page == NULL || page->pid == 0) {
        say("ossec-intake is not running");
        return EX_UNAVAILABLE;
    }
    done = value(&page->reloads);
    refused = value(&page->reloads_refused);
    if (kill((pid_t)page->pid, SIGHUP) != 0) {
        say("ossec-intake is not running");
        return EX_UNAVAILABLE;
    }
    for (int waited = 0; waited < PATIENCE_MS; waited += LOOK_MS) {
        if (value(&page->reloads) != done) {
            return 0;
        }
        if (value(&page->reloads_refused) != refused) {
            return EX_CONFIG;
        }
        poll(NULL, 0, LOOK_MS);
    }
    say("ossec-intake has not read its settings again within %d s", PATIENCE_MS / 1000);
    return EX_UNAVAILABLE;
}

#include "end.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>

#include "commit.h"
#include "connections.h"
#include "greetings.h"
#include "listen.h"
#include "loop.h"
#include "run.h"
#include "say.h"
#include "senders.h"
#include "udp.h"

#define LISTEN_MS 100 /* for connections that are being made */
#define QUIET_MS 250 /* since something last came: what a sender wrote before it heard of the end has arrived by then */
#define STOP_MS 1000 /* in all, also for a message that is not whole */
#define MOST_MS 3000 /* while more keeps coming; a second later the server kills this process (supervise.bash) */
#define ROUND_MS 5

static void tell_what_is_not_taken(void)
{
    size_t unread = connections_unread();

    if (flush_lines() != 0) {
        say("the last %llu bytes of lines could not be written to the journal",
            (unsigned long long)(journal_appended(journal) - journal_flushed(journal)));
    }
    if (unread > 0 && !journal_make_room(journal)) {
        say("the volume is full, so what %zu connections sent last was not taken; make room on it", unread);
    } else if (unread > 0) {
        say("%zu connections sent on when they were told of the end, so what they sent last was not taken; send over RELP "
            "what must arrive", unread);
    }
}

/* Closing at once would lose lines: those that a sender wrote just before wait in its kernel (Nagle's algorithm) or are on
 * their way, and nobody tells it that they did not arrive. So each is told first that this is the end. Whoever looks, as
 * rsyslog does before each write, writes no more and closes; whoever does not has a moment. */
static void take_what_is_on_its_way(void)
{
    const uint64_t began = loop_now();

    connections_each(connection_hang_up); /* all of them before the first is read */
    for (;;) {
        const uint64_t now = loop_now();
        struct drained drained;

        listen_accept_waiting();
        if (loop_now() - began >= LISTEN_MS) {
            listen_end(); /* on the loopback interface one would come after the other */
        }
        greetings_look();
        drained = connections_drain();
        flush_lines();
        loop_look_at_clock();
        /* By the time before the look: while the lines were written, which a slow disk makes last, more may have come. */
        if (now - began >= (drained.heard == now ? MOST_MS : STOP_MS)) {
            return;
        }
        if (!drained.unfinished) {
            uint64_t last = drained.heard > began ? drained.heard : began;

            if (now >= last && now - last >= (drained.open + greetings_open() > 0 ? QUIET_MS : LISTEN_MS)) {
                return;
            }
        }
        count(&state->beat, 1);
        poll(NULL, 0, ROUND_MS);
    }
}

void end_in_order(void)
{
    settings.limit = UINT64_MAX; /* what was sent before the end is taken, however much waits */
    loop_look_at_clock();
    listen_refuse_new();
    udp_end();
    take_what_is_on_its_way();
    greetings_end();
    listen_end();
    tell_what_is_not_taken();
    commit_end();
    senders_close();
    relp_answer_synced();
    relp_say_goodbye();
    connections_each(connection_close);
    loop_release();
    notices_tell(loop_now());
}

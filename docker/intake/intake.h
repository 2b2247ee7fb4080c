/* ossec-intake as its parts see it: what it was told, the lines that it takes, and the loop that calls the parts. */
#ifndef INTAKE_H
#define INTAKE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "../journal/journal.h"
#include "../journal/state.h"
#include "sources.h"

struct settings {
    const char *options;            /* a file with more options, which is read again at SIGHUP; NULL for none */
    const char *journal, *networks; /* a folder and a file */
    const char *proxies, *relays;   /* files, NULL where nobody is trusted */
    uint64_t limit;                 /* bytes that may wait for the engine */
    unsigned ports[INPUTS];         /* 0: not on */
    const char *certificate, *key, *ca;
    const char *peers, *ciphers;    /* a file, and a list of OpenSSL's; NULL where nobody says */
    int tls_1_3;                    /* no TLS before 1.3 */
    int relp_tls;                   /* RELP comes over TLS */
    size_t connections, per_source; /* at most */
    const char *senders;            /* the file of the list of senders; NULL: it forgets at the end */
    uint64_t silent;                /* seconds after which a sender is silent; 0: nobody asks */
    const char *form;   /* of the list, for --list-senders */
    const char *sender; /* of the lines on standard input, for --header */
};

extern struct settings settings;

static inline int uses_tls(enum input input)
{
    return settings.ports[input] != 0 && (input == INPUT_TLS || (input == INPUT_RELP && settings.relp_tls));
}

extern struct journal *journal;
extern struct state *state;

/* Counts in the shared page, whose reader is another process. */
static inline void count(uint64_t *counter, uint64_t more)
{
    __atomic_store_n(counter, *counter + more, __ATOMIC_RELAXED);
}

/* Takes one message as it came, into the journal; one without text is none. */
/* What the server says of itself: a line like any, which nobody has sent. */
void take_own_line(const char *text);
void take_line(enum input input, const struct source *source, const char *text, size_t length);

/* What the loop watches. `ready` is called when something is there; it may not free the watch, as it may still be in
 * the loop's hands: loop_free does that when it no longer is. */
struct watch {
    void (*ready)(struct watch *watch, uint32_t events);
    int fd;
    uint32_t events; /* as they are watched for */
};

int loop_add(struct watch *watch, uint32_t events);
void loop_change(struct watch *watch, uint32_t events);
void loop_free(struct watch *watch, void (*release)(struct watch *watch)); /* closes it, and releases it later */

int loop_take(struct watch *watch, void (*release)(struct watch *watch)); /* as loop_free, but its socket goes on: returned */

/* Milliseconds of a clock that is not set: of when this turn of the loop began. */
uint64_t loop_now(void);

#endif

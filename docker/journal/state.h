/* The page of memory that ossec-intake and the engine share: /run/ossec/intake.state, made anew at each start. */
#ifndef STATE_H
#define STATE_H

#include <stdint.h>

#ifndef STATE_PATH
#define STATE_PATH "/run/ossec/intake.state"
#endif
#define STATE_MAGIC "OLSSTAT1"

enum input { INPUT_UDP, INPUT_TCP, INPUT_TLS, INPUT_RELP, INPUTS };

/* One writer each; whoever reads, reads with __atomic_load_n. Counters count from the start of the server. */
struct state {
    char magic[8];
    /* ossec-intake's */
    uint64_t flushed;            /* the position up to which the journal may be read */
    uint64_t synced;             /* the position up to which it is on disk */
    uint64_t beat;               /* counts the turns of the intake's loop: it stands when the intake hangs */
    uint64_t received[INPUTS];   /* lines taken into the journal */
    uint64_t refused;            /* connections and datagrams from addresses that are not allowed */
    uint64_t limited;            /* connections closed as their source, or all together, had too many */
    uint64_t lost_udp;           /* datagrams that the kernel dropped, as the receive buffer was full */
    uint64_t cut;                /* lines cut to what the engine reads */
    uint64_t connections;        /* open now */
    uint64_t no_descriptors;     /* accepts that failed as descriptors or memory ran out */
    uint64_t held;               /* 1 while nothing is taken in: the journal is at its limit or the volume nearly full */
    uint64_t certificate_end;    /* when the first of TLS's certificates expires, in seconds since 1970; 0 without TLS */
    uint32_t pid;                /* ossec-intake's */
    uint16_t ports[INPUTS];      /* those that it listens on, 0 where it does not */
    /* the engine's */
    uint64_t done;               /* the position up to which lines are done */
    uint64_t durable;            /* the same, and what they caused is on disk */
    uint64_t analysed;           /* lines */
    uint64_t alerts;             /* written */
    uint64_t damaged;            /* bytes of the journal that could not be read, and were left out */
    uint32_t asleep;             /* 1 while the engine waits for more: a futex, woken by the intake */
    uint32_t engine_ready;       /* 1 once the engine reads the journal */
    uint32_t alerts_written;     /* changes when alerts have reached their file: a futex for the outputs */
    /* the outputs' */
    uint32_t outputs_asleep;     /* how many wait for that; one that was killed meanwhile stays counted */
    /* ossec-intake's */
    uint64_t reloads;            /* options and files that were read again and are in force */
    uint64_t reloads_refused;    /* those that were wrong, so that nothing has changed */
    uint32_t relp_tls;           /* 1 where RELP comes over TLS */
};

/* The page, made anew (by ossec-intake) or as it is there; NULL with errno. */
struct state *state_make(void);
struct state *state_map(void);

#endif

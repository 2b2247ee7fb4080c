/* A target takes alerts: standard output, or a peer by TCP, TLS, RELP (also over TLS) or HTTP. Each transport has a file,
 * transport_*.c, and a row in target.c. That of HTTP is in ossec-notify only. */
#ifndef TARGET_H
#define TARGET_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#define MOST_BATCH 500 /* alerts that are sent and confirmed together, and may come twice */

struct target;

struct transport {
    const char *name;
    int batch; /* alerts, up to MOST_BATCH */
    int is_remote;
    /* Each returns 0, or -1 with `why` set; there is no connection then. */
    int (*open)(struct target *t);
    /* One alert, whose head (of syslog) may be empty. It may stay in a buffer. */
    int (*put)(struct target *t, const char *head, size_t head_length, const char *alert, size_t length);
    /* Returns when all that was put has arrived. */
    int (*confirm)(struct target *t);
    void (*close)(struct target *t);
    /* These may be NULL. Whether an alert is for this target; any other is passed over. */
    int (*wants)(const struct target *t, const char *alert, size_t length);
    /* Whenever nothing waits. 0, or -1 with `why`. */
    int (*idle)(struct target *t);
    /* What it has counted besides, as " NUMBER NUMBER". */
    void (*print_counters)(const char *position);
};

struct target {
    const struct transport *transport;
    const char *host, *port;
    const char *name;      /* for messages; NULL for one of transport, host and port */
    const char *format, *position; /* the position's path */
    int ecs;               /* alerts are mapped to the Elastic Common Schema */
    int syslog;            /* alerts have a head of RFC 5424 */
    int is_open;
    char why[256];         /* it takes nothing */
    /* Of the transports that are connections. */
    int socket;            /* -1 for none */
    struct ssl_st *tls;
    short wants;           /* what events of poll the last read or write waits for */
    int64_t opened_at;     /* in milliseconds */
    int proven;            /* the peer has kept the connection long enough to have refused it, had it wanted to */
    int shows_certificate, accepted; /* TLS: accepted: the peer has sent something after it has judged our certificate */
    unsigned sent, acknowledged; /* RELP: numbers of commands */
    size_t answer_length;
    char answer[4096];
    size_t length;
    char buffer[16384];    /* so many bytes that are not sent yet */
};

/* -1 where there is no transport of that name. */
int target_choose(struct target *t, const char *name);
int target_open(struct target *t);
int target_put(struct target *t, const char *head, size_t head_length, const char *alert, size_t length);
int target_confirm(struct target *t);
void target_close(struct target *t);
int target_wants(const struct target *t, const char *alert, size_t length);
int target_idle(struct target *t);
/* What it is called in messages. */
const char *target_name(const struct target *t);

extern const struct transport transport_stdout, transport_tcp, transport_tls, transport_relp, transport_relps;
extern const struct transport transport_http __attribute__((weak)); /* not in every program */

#endif

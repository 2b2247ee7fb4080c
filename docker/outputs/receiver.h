/* Who takes alerts: standard output, or a receiver by TCP, TLS or RELP. */
#ifndef RECEIVER_H
#define RECEIVER_H

#include <signal.h>
#include <stddef.h>

extern volatile sig_atomic_t receiver_patience_ms; /* for each step of a connection, and for an answer */

struct receiver {
    const char *way, *host, *port; /* way: stdout, tcp, tls, relp */
    int socket;                    /* -1 while there is no connection */
    struct ssl_st *tls;
    unsigned number;               /* of RELP's last command */
    char why[256];                 /* it takes nothing */
    size_t length;
    char buffer[16384];            /* so many bytes that are not sent yet */
};

/* Each returns 0, or -1 with `why` set; there is no connection then. */
int receiver_connect(struct receiver *r);
int receiver_put(struct receiver *r, const char *data, size_t length);
int receiver_flush(struct receiver *r);
/* When what was flushed has arrived: by RELP, the receiver has acknowledged it; else its machine has it. */
int receiver_confirm(struct receiver *r);

/* Writes the head of a frame of RELP for so many bytes; returns its length. */
size_t receiver_relp_head(struct receiver *r, const char *command, size_t length, char *head, size_t size);

#endif

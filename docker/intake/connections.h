/* All connections, and those of them that have never sent anything. */
#ifndef CONNECTIONS_H
#define CONNECTIONS_H

#include "connection.h"

void connections_add(struct connection *c);
void connections_heard(struct connection *c); /* it has sent something */
void connections_remove(struct connection *c);

size_t connections_open(void);

/* Closes the one that has been silent longest, never having sent anything, to make a place: 1 if there was one. */
int connections_make_place(void);

/* Calls it for each; it may close that one. */
void connections_each(void (*what)(struct connection *c));

/* At the end: what came of the connections whose senders are told nothing of what arrived (RELP's are). */
struct drained {
    size_t open;    /* so many have not closed their side yet */
    int unfinished; /* the last message of some connection is not whole, RELP's too */
    uint64_t heard; /* when something last came, as loop_now; 0: never */
};

/* Tells all of them that this is the end, and reads what has come. */
struct drained connections_drain(void);

/* Of how many the kernel holds something that was not read and will not come again, as RELP's does. */
size_t connections_unread(void);

#endif

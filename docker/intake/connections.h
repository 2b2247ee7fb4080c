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

/* Reads what has come of all of them; 1 when the last message of some is not whole. */
int connections_drain(void);

/* Of how many the kernel holds something that was not read. */
size_t connections_unread(void);

#endif

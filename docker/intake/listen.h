/* The sockets on which senders come, and who of them is let in. */
#ifndef LISTEN_H
#define LISTEN_H

#include <stddef.h>

#include "intake.h"

/* Opens a socket of that type (SOCK_DGRAM, SOCK_STREAM) on the port, for IPv4 and IPv6 where the machine has both.
 * The descriptor, or -1 with the reason and the remedy, ready to be shown, in `problem`. */
int listen_open(int type, unsigned port, char *problem, size_t size);

/* Accepts from a socket of listen_open's. 0, or -1 with errno. */
int listen_accept(int fd, enum input input);

/* Lets the listeners go on that stopped as descriptors had run out; to be called when there may be some again. */
void listen_resume(void);

/* From now on the kernel completes no new connection: one that it has completed and nobody accepts would take lines and
 * lose them. Who comes now tries again, and finds the next server. */
void listen_complete_no_more(void);

/* Accepts all that wait. */
void listen_accept_waiting(void);

/* Closes the listeners. */
void listen_end(void);

#endif

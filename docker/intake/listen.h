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

/* From now on who comes is refused, and may try again. Connections that are being made go on; those that the kernel has
 * made are to be accepted: closing the listener would break them, and what was written to them would be lost. */
void listen_refuse_new(void);

/* Accepts all that wait. */
void listen_accept_waiting(void);

/* Closes the listeners. */
void listen_end(void);

#endif

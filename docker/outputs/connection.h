/* A connection to a target, with or without TLS. */
#ifndef CONNECTION_H
#define CONNECTION_H

#include "target.h"

/* Ends the connection and says why; returns -1. */
int connection_broken(struct target *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Resolves the host and connects. 0 or -1. */
int connection_open(struct target *t);
void connection_close(struct target *t);
/* Waits for what the last read or write wants. 0, or -1 at the deadline. */
int connection_wait(struct target *t, int64_t deadline);
/* Reads what is there: bytes, 0 if nothing is there now (`wants` says what to wait for), -1 if the connection has ended. */
long connection_read(struct target *t, char *data, size_t size);
/* Into the buffer, which is written when it is full. */
int connection_put(struct target *t, const char *data, size_t length);
int connection_flush(struct target *t);
/* Flushes, and returns when the peer's machine has all and the peer has not ended the connection, nor seems to be about to:
 * one that does not want us, such as a proxy without a server, or by our certificate, may say so only then. */
int connection_confirm(struct target *t);

#endif

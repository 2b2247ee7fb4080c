/* TLS on a connection that is open. */
#ifndef TLS_H
#define TLS_H

#include "target.h"

/* The handshake: with who is meant, or not at all. 0 or -1. */
int tls_start(struct target *t);
/* As connection_read and its counterpart. */
long tls_read(struct target *t, char *data, size_t size);
long tls_write(struct target *t, const char *data, size_t length);
void tls_end(struct target *t);

#endif

/* TLS as the transport of a connection. */
#ifndef TLS_H
#define TLS_H

#include <stddef.h>
#include <stdint.h>

struct connection;

/* Reads the certificate, its key, the authority whose certificates clients must show and the names that are permitted,
 * for all connections from now on. NULL, or what is wrong, ready to be shown: then all stays as it was. */
const char *tls_prepare(void);

/* When the first of the certificate and the authority's expires, in seconds since 1970; 0 without TLS. */
uint64_t tls_expires(void);

/* Says so where that is soon, or was. */
void tls_warn(void);

/* Makes TLS the connection's transport; 0 when it can't be. */
int tls_begin(struct connection *c);

/* Goes on with the handshake: 1 when it is done, 0 when the peer's next part has to come, -1 when it failed. */
int tls_handshake(struct connection *c);

/* Notes that it failed, to be told of. */
void tls_failed(const struct connection *c, const char *why);

#endif

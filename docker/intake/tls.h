/* TLS as the transport of a connection. */
#ifndef TLS_H
#define TLS_H

#include <stddef.h>

struct connection;

/* Reads the certificate, its key and, where there is one, the authority whose certificates clients must show. NULL, or
 * what is wrong, ready to be shown. */
const char *tls_prepare(const char *certificate, const char *key, const char *authority);

/* Days until the certificate, or the authority's, expires; negative when it has. */
int tls_days_left(const char **whose);

/* Makes TLS the connection's transport; 0 when it can't be. */
int tls_begin(struct connection *c);

/* Goes on with the handshake: 1 when it is done, 0 when the peer's next part has to come, -1 when it failed. */
int tls_handshake(struct connection *c);

/* Notes that it failed, to be told of. */
void tls_failed(const struct connection *c, const char *why);

#endif

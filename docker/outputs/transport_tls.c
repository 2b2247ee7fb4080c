/* Syslog by TLS, where its length stands before each message (RFC 5425); or lines. */
#include <openssl/ssl.h>
#include <stdio.h>

#include "connection.h"
#include "tls.h"

static int open_tls(struct target *t)
{
    return connection_open(t) != 0 ? -1 : tls_start(t);
}

static int put(struct target *t, const char *head, size_t head_length, const char *alert, size_t length)
{
    char count[32];
    int digits = t->syslog ? snprintf(count, sizeof(count), "%zu ", head_length + length) : 0;

    return connection_put(t, count, (size_t)digits) != 0 || connection_put(t, head, head_length) != 0 ||
                   connection_put(t, alert, length) != 0 || connection_put(t, "\n", !t->syslog) != 0
               ? -1
               : 0;
}

static void end(struct target *t)
{
    SSL_shutdown(t->tls); /* our part of it: nobody waits for the peer's */
    connection_close(t);
}

const struct transport transport_tls = {"tls", MOST_BATCH, 1, open_tls, put, connection_confirm, end, NULL, NULL, NULL};

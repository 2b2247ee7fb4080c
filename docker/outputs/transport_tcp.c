/* Lines over TCP. What has arrived is what the peer's machine has acknowledged. */
#include <sys/socket.h>

#include "connection.h"

static int put(struct target *t, const char *head, size_t head_length, const char *alert, size_t length)
{
    return connection_put(t, head, head_length) != 0 || connection_put(t, alert, length) != 0 ||
                   connection_put(t, "\n", 1) != 0
               ? -1
               : 0;
}

static void end(struct target *t)
{
    shutdown(t->socket, SHUT_WR);
    connection_close(t);
}

const struct transport transport_tcp = {"tcp", MOST_BATCH, 1, connection_open, put, connection_confirm, end, NULL, NULL, NULL};

/* Who sends: an address, whether it may, what it is called in the engine's datagrams, how many connections it has. */
#ifndef SOURCES_H
#define SOURCES_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct source {
    struct in6_addr address; /* an IPv4 one in the form ::ffff:a.b.c.d */
    uint32_t scope;          /* of a link-local one: the interface */
    int allowed;
    char text[INET6_ADDRSTRLEN];
    char location[INET6_ADDRSTRLEN + 4]; /* "2:ADDRESS:", how the engine's datagrams begin; 2 is syslog (upstream's */
    size_t location_length;              /* headers/mq_op.h), and the address has dashes where others have colons */
};

/* The source of a socket's address. It is there until the next call: what is kept is copied. */
const struct source *source_of(const struct sockaddr_storage *from);

/* Counts one more connection of it, unless it has `most` already: then 0. */
int source_connected(const struct source *source, size_t most);
void source_disconnected(const struct source *source);

#endif

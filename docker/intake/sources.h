/* Who sends: an address, whether it may, whom it speaks for, what it is called in the engine's datagrams, how many connections it has. */
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
    int proxy;               /* a trusted balancer: each of its connections begins with a PROXY header */
    int relay;               /* a trusted relay: the host of each of its lines is the sender's address */
    char text[INET6_ADDRSTRLEN];
    char location[INET6_ADDRSTRLEN + 4]; /* "2:ADDRESS:", how the engine's datagrams begin; 2 is syslog (upstream's */
    size_t location_length;              /* headers/mq_op.h), and the address has dashes where others have colons */
};

/* The lists of who may send and who is trusted; NULL for none. They are given away. */
struct lists {
    struct networks *allowed, *proxies, *relays;
};
extern struct lists lists;

/* From now on these hold. */
void sources_take(struct lists *fresh);

/* Whether it may send now. */
int source_may_send(const struct source *source);

/* The source of a socket's address. It is there until the next call: what is kept is copied. */
const struct source *source_of(const struct sockaddr_storage *from);

/* The source of an address that a trusted balancer or relay names. */
void source_named(const struct in6_addr *address, struct source *source);

/* The same, of an address as text; 0 where it is none. */
int source_named_by(const char *text, size_t length, struct source *source);
uint32_t source_hash(const struct in6_addr *address, uint32_t scope);

/* Counts one more connection of it, unless it has `most` already: then 0. */
int source_connected(const struct source *source, size_t most);
void source_disconnected(const struct source *source);

#endif

/* The PROXY protocol's header, versions 1 and 2, in which a balancer says whose connection it passes on. No input or
 * output here: bytes in, the address out. */
#ifndef PROXY_H
#define PROXY_H

#include <netinet/in.h>
#include <stddef.h>

#define PROXY_HEAD 107 /* bytes of a header, at most, that are looked at: version 1 has no more, and in version 2 the */
                       /* address is among the first 52 */

struct proxied {
    int named;               /* it names the sender; else the connection is the balancer's own, or the sender has no address */
    struct in6_addr address; /* the sender's; an IPv4 one in the form ::ffff:a.b.c.d */
};

/* Reads the header that the bytes begin with: how long it is, which may be longer than what is there; 0 when more is
 * needed, -1 when it is none. */
long proxy_read(const char *bytes, size_t length, struct proxied *proxied);

#endif

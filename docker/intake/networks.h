/* Lists of addresses and networks, one a line: who may send, which balancers and which relays are trusted. */
#ifndef NETWORKS_H
#define NETWORKS_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct networks;

/* Reads a list; NULL with the reason, ready to be shown, in `problem`. */
struct networks *networks_read(FILE *file, char *problem, size_t size);
void networks_free(struct networks *networks);

/* Whether the address is in one of them; it is in none of NULL. An IPv4 address has the form ::ffff:a.b.c.d; the scope is
 * a link-local one's interface. */
int networks_hold(const struct networks *networks, const struct in6_addr *address, uint32_t scope);

#endif

/* Lists of addresses and networks, one a line: who may send, which balancers and which relays are trusted. */
#ifndef NETWORKS_H
#define NETWORKS_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct networks;

/* An empty set. A program without memory is aborted. */
struct networks *networks_make(void);
void networks_free(struct networks *networks);

/* Reads one from a file, one network a line; NULL with the reason, ready to be shown, in `problem`. */
struct networks *networks_read(FILE *file, char *problem, size_t size);

/* Adds one to a set of which it stays the only one; how many of the address's 128 bits it names. NULL, or what is wrong. */
const char *networks_add(struct networks *to, char *text, unsigned *prefix_length);

/* Whether the address is in one of them; it is in none of NULL. An IPv4 address has the form ::ffff:a.b.c.d; the scope is a link-local one's
 * interface. */
int networks_hold(const struct networks *networks, const struct in6_addr *address, uint32_t scope);

#endif

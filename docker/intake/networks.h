/* The addresses and networks that may send: OSSEC_ALLOWED_IPS, one a line. */
#ifndef NETWORKS_H
#define NETWORKS_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Reads them all; 0, or -1 with the reason, ready to be shown, in `problem`. */
int networks_read(FILE *file, char *problem, size_t size);

/* Whether the address is in one of them. An IPv4 address has the form ::ffff:a.b.c.d; the scope is a link-local one's
 * interface. */
int networks_hold(const struct in6_addr *address, uint32_t scope);

#endif

/* The networks that may send: one address or CIDR network a line, IPv4 and IPv6. */
#ifndef NETWORKS_H
#define NETWORKS_H

#include <stddef.h>

int networks_read(const char *path); /* 0, or -1 with errno set */
int networks_hold(const char *address, size_t length);

#endif

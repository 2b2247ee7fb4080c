/* OSSEC_TLS_PEERS: which client must show a certificate, and for which name. No TLS here: addresses and names. */
#ifndef PEERS_H
#define PEERS_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What one who connects has to show: nothing, a certificate of the authority's, or one for a permitted name. */
enum peer_duty { PEER_NO_CERTIFICATE, PEER_ANY_NAME, PEER_PERMITTED_NAME };

/* Of the entries that hold for a client: those of the smallest network that it is in, or those without a network. Where one
 * network has several, the strictest counts, and every name. */
struct peer_policy {
    enum peer_duty duty;
    unsigned prefix_length; /* of their network; what peers_permit looks for */
};

struct peers;

/* Reads them, one a line: NAME, NETWORK=NAME, NETWORK=any or NETWORK=none; NULL with the reason in `problem`. */
struct peers *peers_read(FILE *file, char *problem, size_t size);
void peers_free(struct peers *peers);

/* Without entries for it, any certificate of the authority's will do. `peers` may be NULL. */
struct peer_policy peers_policy(const struct peers *peers, const struct in6_addr *address, uint32_t scope);

/* Whether an entry of that client's permits the name. */
int peers_permit(const struct peers *peers, const struct in6_addr *address, uint32_t scope, const char *name, size_t length);

#endif

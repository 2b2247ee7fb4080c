/* The layer of decoders and rules of our own, docker/rootfs/var/ossec/extra, as the shim sees it. */
#ifndef EXTRA_H
#define EXTRA_H

/* Whether it is loaded. */
int extra_rules(void);

#endif

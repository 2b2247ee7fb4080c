/* From the receiver's line to the engine's datagram, and what is said of those that do not get through whole. */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "journal.h"

/* "ADDRESS MESSAGE" becomes "2:LOCATION:MESSAGE", the engine's own form, where 2 is syslog (upstream's
 * headers/mq_op.h) and the location must have no colon, so that IPv6's become dashes. Returns the datagram's length,
 * 0 for a message that is not to be sent. */
uint32_t compose(struct journal *j, const char *line, size_t length, char *datagram);

/* Tells, at once and then at most once a minute, how many messages were cut or refused since it was last told; the
 * first call tells nothing. */
void complain(struct journal *j);

#endif

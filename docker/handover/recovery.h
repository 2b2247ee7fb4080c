/* After the engine was killed: which messages it took and did not analyse. */
#ifndef RECOVERY_H
#define RECOVERY_H

#include "journal.h"

/* The messages that the engine took but had not analysed when it was killed are sent again. It works in order
 * and writes each message to its archive, so they are those behind the archive's last one. */
void take_back(struct journal *j);

#endif

#ifndef SHIM_RECEIVED_H
#define SHIM_RECEIVED_H

#include <time.h>

/* When the engine took the line that it works on from the journal. */
extern struct timespec shim_received;

#endif

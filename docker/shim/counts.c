/* By itself, as each program links only the objects that it names. */
#include "counts.h"

#include "received.h"

unsigned long shim_alerts;
struct timespec shim_received;

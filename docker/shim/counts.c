/* See state.h. By themselves, as each program links only the objects that it names. */
#include "state.h"

unsigned long shim_events, shim_alerts;

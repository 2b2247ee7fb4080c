/* By itself, as each program links only the objects that it names. */
#include "counts.h"

unsigned long shim_alerts;

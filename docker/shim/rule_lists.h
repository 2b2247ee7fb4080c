#ifndef SHIM_RULE_LISTS_H
#define SHIM_RULE_LISTS_H

#include "shared.h"
#include "eventinfo.h"

/* From now on the engine's next event is this one, which its decoders have taken; NULL for none yet. */
void rules_are_for(const Eventinfo *lf);

#endif

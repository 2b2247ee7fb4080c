/* The families of our decoders (docker/rootfs/var/ossec/extra/families), as decode.c tries them. */
#ifndef SHIM_FAMILIES_H
#define SHIM_FAMILIES_H

#include "eventinfo.h"
#include "decoder.h"

/* Whether there are any. The first call takes them out of the engine's list of decoders. */
int families_loaded(void);

/* Those that may take this text, each with the children that may, linked until the next call; NULL if none may. */
OSDecoderNode *families_of(const char *text);

/* The one of them that has taken the line; NULL if none has. */
OSDecoderNode *families_taker(const Eventinfo *lf);

#endif

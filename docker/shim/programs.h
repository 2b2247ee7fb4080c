#ifndef SHIM_PROGRAMS_H
#define SHIM_PROGRAMS_H

#include "eventinfo.h"
#include "decoder.h"

/* Of the decoders from that one on, the first that may take a line of this program; NULL if none may. The list must not
 * change any more. */
OSDecoderNode *first_for_program(OSDecoderNode *node, const char *program);

#endif

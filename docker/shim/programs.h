#ifndef SHIM_PROGRAMS_H
#define SHIM_PROGRAMS_H

#include "eventinfo.h"
#include "decoder.h"

/* The decoders from that one on that may take this text of a line of this program, until the next call; NULL if none may. The
 * list must not change any more, nor its children. */
OSDecoderNode *takers_of_program(OSDecoderNode *from, const char *program, const char *text);

/* Those that may take this line of a file. */
OSDecoderNode *takers_of_beginning(OSDecoderNode *from, const char *text);

#endif

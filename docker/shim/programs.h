#ifndef SHIM_PROGRAMS_H
#define SHIM_PROGRAMS_H

#include "eventinfo.h"
#include "decoder.h"

/* The decoders from that one on that may take a line of this program, until the next call; NULL if none may. The list must not
 * change any more, nor its children. */
OSDecoderNode *takers_of_program(OSDecoderNode *from, const char *program);

/* Those that may take a line of a file that begins with this byte. */
OSDecoderNode *takers_of_beginning(OSDecoderNode *from, char first);

#endif

/* The list of decoders, as the engine keeps it of what it has read. The stand-in's own are in decode.c. */
#pragma once

#include "eventinfo.h"

typedef struct OSDecoderNode {
    struct OSDecoderNode *next, *child;
    OSDecoderInfo *osdecoder;
} OSDecoderNode;

/* Of those for a program, or without one for those of files. */
OSDecoderNode *OS_GetFirstOSDecoder(const char *program);

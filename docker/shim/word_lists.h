/* The words of a pattern, in the form in which they are looked for in each line (literals.c).
 *
 * A set of them is the first places of its words, each once; EVERY_LINE; where the other places begin of the words of each, in the
 * set, and where they end; these. */
#ifndef SHIM_WORD_LISTS_H
#define SHIM_WORD_LISTS_H

#include "literals.h"

#define EVERY_LINE 0 /* a place that each line has; in a set, it ends the list of first places */
#define ONE_WORD 255 /* the count of a set that has no other word: its places are the pattern's own */

/* Nothing is kept where the pattern is not understood, or without memory. */
void word_lists_of(const char *pattern, struct literal *one);

#endif

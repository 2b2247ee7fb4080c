/* What a pattern asks of a text, read from the pattern. */
#ifndef SHIM_WORDS_H
#define SHIM_WORDS_H

#include <stddef.h>
#include <stdint.h>

#define WORD_GROUP 3         /* bytes that are looked for together */
#define WORD_BITS 8192       /* places of such groups */
#define WORD_PLACES 4        /* groups of a word that are looked for */
#define WORD_ALTERNATIVES 96 /* of a pattern; one with more has none */

/* Words of which a text that matches holds one at least. */
struct words {
    unsigned count;  /* 0: nothing is known */
    size_t shortest; /* bytes */
    uint16_t places[WORD_ALTERNATIVES][WORD_PLACES];
};

static inline unsigned char folded(char c) { return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : (unsigned char)c; }

/* The place of a group, the first of whose bytes is the lowest. */
static inline unsigned group_place(unsigned group) { return (group * 2654435761u) >> 19; } /* 13 bits */

/* The place of the group that stands there, in either case. */
static inline unsigned word_place(const char *at)
{
    return group_place(folded(at[0]) | (unsigned)folded(at[1]) << 8 | (unsigned)folded(at[2]) << 16);
}

/* None where the pattern is not understood: it is tried as ever. */
void words_of(const char *pattern, struct words *words);

#define BEGINNING 12 /* bytes that are looked at */

/* What a text that matches begins with: for each of its first bytes, one bit for each that may stand there. */
struct beginning {
    unsigned length; /* 0: anything */
    uint32_t bytes[BEGINNING][8];
};

void beginning_of(const char *pattern, struct beginning *beginning);

#endif

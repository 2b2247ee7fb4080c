/* What a pattern asks of a text, read from the pattern. */
#ifndef SHIM_WORDS_H
#define SHIM_WORDS_H

#include <stddef.h>
#include <stdint.h>

#define WORD_GROUP 3         /* bytes that are looked for together */
#define WORD_BITS 13         /* of the place of such a group */
#define WORD_PLACES 4        /* groups of a word that are looked for */
#define WORD_ALTERNATIVES 96 /* in a set */
#define WORD_SETS 3          /* of a pattern */

/* Words of which a text that matches holds one at least. */
struct words {
    unsigned count;
    int weight; /* of the one of least: twice its length, and one more if it stands where a word begins */
    uint16_t places[WORD_ALTERNATIVES][WORD_PLACES];
};

/* Of each of them; the one of most worth first. */
struct word_sets {
    unsigned count; /* 0: nothing is known */
    struct words sets[WORD_SETS];
};

static inline unsigned char folded(char c) { return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : (unsigned char)c; }

/* What is of a word, for \b. */
static inline int of_word(char c) { return (folded(c) >= 'a' && folded(c) <= 'z') || (c >= '0' && c <= '9') || c == '_'; }

/* The place of a group, the first of whose bytes is the lowest, and of one that a word begins with. */
static inline unsigned group_place(unsigned group) { return (group * 2654435761u) >> (32 - WORD_BITS); }
static inline unsigned start_place(unsigned group) { return group_place(group | 1u << 24); }

static inline unsigned group_at(const char *at)
{
    return folded(at[0]) | (unsigned)folded(at[1]) << 8 | (unsigned)folded(at[2]) << 16;
}

/* None where the pattern is not understood: it is tried as ever. */
void words_of(const char *pattern, struct word_sets *found);

#define BEGINNING 12 /* bytes that are looked at */

/* What a text that matches begins with: for each of its first bytes, one bit for each that may stand there. */
struct beginning {
    unsigned length; /* 0: anything */
    uint32_t bytes[BEGINNING][8];
};

void beginning_of(const char *pattern, struct beginning *beginning);

#endif

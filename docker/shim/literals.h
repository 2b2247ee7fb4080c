/* What a line must hold for a pattern to match it, by which most patterns need not be tried on most lines. */
#ifndef SHIM_LITERALS_H
#define SHIM_LITERALS_H

#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "words.h"

/* What is known of a pattern. */
struct literal {
    uint16_t first;               /* which beginning; 0: nothing is known of it */
    uint8_t counts[WORD_SETS];    /* first places of each set's words; 0: there is none, nor a set behind it */
    uint8_t forms;                /* which cheaper ones it has (forms.h); 0: none */
    uint16_t key;                 /* a place without which a line does not fit; 0, which each line has, where none is known */
    uint16_t places[WORD_PLACES]; /* of the only word of the first set */
    const uint16_t *sets;         /* of those that have several words: the places of each (word_lists.h) */
};

/* The pattern has been compiled to that, and has those cheaper forms. */
void literals_learn(const void *code, const char *pattern, uint32_t options, uint8_t forms);

/* Until the next call, patterns are tried on this text or an end of it, and it does not change; NULL for none. */
void literals_of(const char *text);

/* NULL if the pattern cannot match the text; else it, or its cheapest form for this line. */
const void *literals_form(const void *code, const char *text);

/* What may be an address in the text; if it is the line, they are looked for once. */
enum addresses literals_addresses(const char *text);

/* Whether the pattern can match a text that begins with this byte, or nothing is known of it. */
int literals_may_begin(const void *code, unsigned char first);

/* For who tries many patterns on each line: what is known of one, or of its text, which stays so; whether the line is this text;
 * and whether a pattern of which that is known can match the line. */
struct literal literals_known(const void *code);
struct literal literals_read(const char *pattern);
int literals_are_of(const char *text);
int literals_fit_known(const struct literal *one);
static inline int literals_fit(const struct literal *one)
{
    return (one->counts[0] == 0 && one->first == 0) || literals_fit_known(one);
}

/* Whether the line has what is at that place: a few instructions, for lists of keys that lie beside each other. */
extern uint8_t literals_seen[1 << WORD_BITS], literals_turn; /* the turn in which a group was seen there last, and the line's own */
static inline int literals_have(uint16_t key) { return literals_seen[key] == literals_turn; }

#endif

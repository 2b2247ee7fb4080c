/* What a line must hold for a pattern to match it, by which most patterns need not be tried on most lines. */
#ifndef SHIM_LITERALS_H
#define SHIM_LITERALS_H

#include <stddef.h>
#include <stdint.h>

/* The pattern has been compiled to that. */
void literals_learn(const void *code, const char *pattern, uint32_t options);

/* Until the next call, patterns are tried on this text or an end of it, and it does not change; NULL for none. */
void literals_of(const char *text);

/* Whether the pattern can match the text, or nothing is known of either. */
int literals_may_match(const void *code, const char *text);

/* Whether the pattern can match a text that begins with this byte, or nothing is known of it. */
int literals_may_begin(const void *code, unsigned char first);

#endif

/* What a PCRE2 pattern is made of. */
#ifndef SHIM_SYNTAX_H
#define SHIM_SYNTAX_H

/* PCRE2_EXTENDED, with which blanks mean nothing, and PCRE2_LITERAL. The stand-in is built where there is no pcre2.h. */
#define UNREADABLE (0x00000080u | 0x02000000u)

/* Over a class, from behind its bracket; NULL where it does not end. */
const char *skip_class(const char *at);

/* Over a group, from behind its bracket; NULL where it does not end or changes what the rest means. */
const char *skip_group(const char *at);

/* Where the alternatives of a group begin, from behind its bracket; NULL where it is none that must match as it stands. */
const char *inside_group(const char *at);

int is_quantifier(char c);

#endif

#ifndef SHIM_REGEX_H
#define SHIM_REGEX_H

/* The most groups that a pattern takes out of a text, of those compiled so far. */
unsigned regex_most_groups(void);

#endif

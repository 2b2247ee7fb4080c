#ifndef SHIM_GROUPS_H
#define SHIM_GROUPS_H

/* The most groups that a pattern takes out of a text, of those compiled so far. */
unsigned regex_most_groups(void);

#endif

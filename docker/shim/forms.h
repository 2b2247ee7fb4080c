/* Cheaper forms of a pattern, which give the same on the lines that they are for. */
#ifndef SHIM_FORMS_H
#define SHIM_FORMS_H

#include <stdint.h>

/* For a line in which there is one address, an IPv4 one, and for one that holds no word of what must not be in it. */
enum { ONE_ADDRESS = 1, NOT_DENIED = 2, FORMS = 4 };

/* The number of the pattern's forms, which were compiled to these; NULL where there is none. `denied` is what must not be in the
 * line. 0 where there is no room for them. */
uint8_t forms_learn(const void *const codes[FORMS], const char *denied);

/* The one of those that is for the line, which is that of literals.h, or `code`, which is for each. */
const void *form_for_line(uint8_t number, const void *code, const char *line);

#endif

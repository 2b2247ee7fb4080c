/* The forms of date and time, as a table. */
#ifndef INTAKE_DATES_H
#define INTAKE_DATES_H

#include "stamp.h"
#include "time_parts.h"

extern const char months[12][4];

struct date_form {
    const char *form;
    const char *begins; /* as text.h says; most lines have none of most forms */
    int (*read)(struct text *rest, struct moment *m); /* moves `rest` behind what it reads; anywhere, where it returns 0 */
    int also_in_messages;
};

extern const struct date_form date_forms[]; /* the last one has no reader */

/* Whether a stamp may end there: at a space, a tab or the end of the line. */
static inline int ends(struct text rest)
{
    return length_of(rest) == 0 || byte_at(rest, 0) == ' ' || byte_at(rest, 0) == '\t';
}

/* A colon behind the stamp ends it in Cisco's form; the one in "2001:db8::7" is a host's. */
static inline int ends_with_colon(struct text rest)
{
    return byte_at(rest, 0) == ':' && ends(behind(rest, 1));
}

#endif

/* The parts of dates and times. Each reader moves `rest` behind what it reads; where it returns 0, `rest` may be
 * anywhere. */
#ifndef INTAKE_TIME_PARTS_H
#define INTAKE_TIME_PARTS_H

#include "text.h"

/* What a stamp says; each reader of a part adds to it. */
struct moment {
    unsigned month, day, hour, minute, second;
    int more;
};

/* From so few to so many digits, that make a number between these two. */
int read_number(struct text *rest, size_t least_digits, size_t most_digits, unsigned least, unsigned most, unsigned *value);

int read_mark(struct text *rest, char c);
int read_spaces(struct text *rest); /* one or more */

/* One of three letters each, in any case; its place in the list from 1 on. */
int read_name(struct text *rest, const char names[][4], unsigned count, unsigned *value);

int read_year(struct text *rest);

/* 06:00:00, and a fraction of any number of digits. */
int read_clock(struct text *rest, struct moment *m);

/* Z, +hh, +hhmm, +hh:mm */
int read_offset(struct text *rest);

/* UTC, (UTC) */
int read_zone(struct text *rest);

#endif

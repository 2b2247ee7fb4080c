/* The date and time at the front of a line, in the forms that senders write it. */
#ifndef INTAKE_STAMP_H
#define INTAKE_STAMP_H

#include <time.h>

#include "text.h"

#define STAMP_LENGTH 15 /* "Nov 26 06:00:00", the form that the engine reads */

struct stamp {
    struct text sent;          /* as the sender wrote it */
    char canonical[STAMP_LENGTH];
    int unknown;               /* it says no date: an uptime; `canonical` is not set */
    int says_more;             /* than the canonical form can: a year, a fraction, a zone */
    int also_in_messages;      /* programs write this form in front of their own messages as well */
};

/* Reads a stamp and moves `rest` behind it and the spaces after it. 0, with nothing moved, if the text begins with none. */
int read_stamp(struct text *rest, struct stamp *stamp);

/* A count of seconds since 1970, with or without a fraction. Numbers stand at the front of other lines too, so the caller
 * says where one is a stamp. */
int read_epoch(struct text *rest, struct stamp *stamp);

/* How long Cisco's devices have been up: "1d02h: ", "00:00:12: ". */
int read_uptime(struct text *rest, struct stamp *stamp);

/* The canonical form of a moment, in the zone of this machine. */
void write_stamp(time_t moment, char canonical[STAMP_LENGTH]);

#endif

/* What ossec-intake writes into a line for the shim alone, as docker/intake/header.h says. */
#ifndef SHIM_MARKS_H
#define SHIM_MARKS_H

#include "shared.h"
#include "eventinfo.h"

#define MOST_NAMES 3          /* host, program, pid */
#define LONGEST_NAME (4 * 255) /* a control character of a name has four bytes by now */

struct marks {
    size_t count;
    struct {
        size_t at, length; /* in the message */
        char text[LONGEST_NAME];
    } names[MOST_NAMES];
    size_t extra_at; /* in the message; 0 where there is none */
    int from_network;
};

/* Before the engine takes the line apart: takes the marks out of it, and makes the names such that its reader of headers
 * takes them. */
void read_marks(char *datagram, struct marks *marks);

/* After it: gives the names back their own characters, in the line and in the event. */
void restore_names(Eventinfo *lf, const struct marks *marks);

/* The extra stays behind the line in full_log; what decoders and rules look at ends before it. */
void cut_extra(Eventinfo *lf, const struct marks *marks);

/* Makes the sender's address the host. */
void name_sender(Eventinfo *lf);

#endif

/* What the engine takes for the header of a line is the sender's to write. An empty line makes it look behind its
 * buffer, a date of Suricata's form with nothing after it makes it read on there. A host's name, in the form of
 * macOS's log any text, becomes part of a file's path, and one that begins with ">" makes ossec-maild write before
 * a buffer of its own. Here the line ends where it ends, and what no host is called counts as unknown, which is the
 * engine's own name. */
#ifndef SHIM_HEADER_H
#define SHIM_HEADER_H

#include <string.h>
#include <time.h>

#include "shared.h"
#include "eventinfo.h"
#include "analysisd.h"

#define PADDING 64

/* The message, or where it is short a copy of it in the room, with zeros behind its end. */
static inline char *padded(char *message, char room[PADDING])
{
    return strlen(message) < PADDING / 2 ? strncpy(room, message, PADDING) : message;
}

/* After the engine has taken the line apart. */
static inline void mend_header(Eventinfo *lf)
{
    /* full_log holds the line twice, each with its end; log is in the second. */
    const char *end = lf->full_log + 2 * strlen(lf->full_log) + 1;

    if (lf->log > end) {
        lf->log += end - lf->log;
    }
    if (lf->hostname != lf->location && (lf->hostname[0] == '.' || strpbrk(lf->hostname, "/>") != NULL)) {
        lf->hostname = __shost;
    }
}

#endif

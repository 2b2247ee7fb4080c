/* What the engine takes for the header of a line is the sender's to write. An empty line makes it look behind its
 * buffer, a date of Suricata's form with nothing after it makes it read on there. A host's name, in the form of
 * macOS's log any text, becomes part of a file's path, and one that begins with ">" makes ossec-maild write before
 * a buffer of its own. Here the line ends where it ends, and what no host is called counts as unknown. The host of a line
 * from the network that names none is its sender; the engine would put its own name there. */
#ifndef SHIM_HEADER_H
#define SHIM_HEADER_H

#include <string.h>
#include <time.h>

#include "shared.h"
#include "eventinfo.h"
#include "analysisd.h"
#include "marks.h"

#define PADDING 64

/* The message, or where it is short a copy of it in the room, with zeros behind its end. */
static inline char *padded(char *message, char room[PADDING])
{
    return strlen(message) < PADDING / 2 ? strncpy(room, message, PADDING) : message;
}

/* Some senders write a second space behind the program, and no decoder looks for it, but for the one of Checkpoint. */
static inline void skip_space(Eventinfo *lf)
{
    if (lf->program_name != NULL && lf->log[0] == ' ' && lf->log[1] != ' ' &&
        strncmp(lf->program_name, "Checkpoint", 10) != 0) {
        lf->log++;
    }
}

/* After the engine has taken the line apart. */
static inline void mend_header(Eventinfo *lf, const struct marks *marks)
{
    /* full_log holds the line twice, each with its end; log is in the second. */
    const char *end = lf->full_log + 2 * strlen(lf->full_log) + 1;

    if (lf->log > end) {
        lf->log += end - lf->log;
    }
    cut_extra(lf, marks);
    skip_space(lf);
    restore_names(lf, marks);
    if (lf->hostname != lf->location && (lf->hostname[0] == '.' || strpbrk(lf->hostname, "/>") != NULL)) {
        lf->hostname = __shost;
    }
    if (lf->hostname == __shost && marks->from_network) {
        name_sender(lf);
    }
}

#endif

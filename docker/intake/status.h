#ifndef STATUS_H
#define STATUS_H

#include <stddef.h>

#include "state.h"

struct counter {
    const char *name;
    uint64_t value;
};

#define STATUS_COUNTERS 32 /* at most */

/* Whether a server runs, or has run; one line where none has. The next may only be asked for then. */
int status_is_there(void);

/* What it counts; how many they are. */
size_t status_counters(struct counter all[STATUS_COUNTERS]);

/* Prints what the running server counts, a line "NAME NUMBER" each. The exit status. */
int status(void);

/* Whether intake and engine have started; the exit status, and a line for what has not. */
int ready(void);

/* Whether the engine is done with what is in the journal now, or gets on with it. The exit status, and a line where it
 * does neither. */
int engine_moves(const struct state *page);

#endif

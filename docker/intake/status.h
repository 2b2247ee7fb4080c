#ifndef STATUS_H
#define STATUS_H

#include "state.h"

/* Prints what the running server counts, a line "NAME NUMBER" each. The exit status. */
int status(void);

/* Whether intake and engine have started; the exit status, and a line for what has not. */
int ready(void);

/* Whether the engine is done with what is in the journal now, or gets on with it. The exit status, and a line where it
 * does neither. */
int engine_moves(const struct state *page);

#endif

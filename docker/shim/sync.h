/* A thread syncs the engine's files once a second and then notes the position that holds after a power failure, too. */
#ifndef SHIM_SYNC_H
#define SHIM_SYNC_H

#include "done.h"
#include "state.h"

/* Reads what was noted last into `last`; whether there was anything. To be called first. */
int sync_read(int done_fd, struct done *last);

/* 0, or -1 with errno where there can be no thread. */
int sync_start(struct state *state);

/* Has it done now that so much is done, where it was not for a second. `now` is in milliseconds. */
void sync_now_and_then(const struct done *done, long now);

/* At the end: at once, when what is under way is over. */
void sync_last(const struct done *done);

#endif

/* Syncs the journal to disk in a thread of its own: while one sync runs, the loop gathers for the next. */
#ifndef COMMIT_H
#define COMMIT_H

#include "intake.h"

/* Starts the thread; `synced` is called by the loop whenever the journal is synced further. 0, or -1 with errno. */
int commit_begin(void (*synced)(void));

/* Has all that is flushed by now synced, unless a sync is under way: then it is to be called again after that. */
void commit_request(void);

/* Syncs the rest, and ends the thread. */
void commit_end(void);

#endif

/* The loop: waits until something is there, calls its watch, and writes the journal once a turn. */
#ifndef LOOP_H
#define LOOP_H

#include "intake.h"

/* Makes it; the watches are added with loop_add (intake.h). 0, or -1 with errno. */
int loop_make(void);

/* Adds what is to be heard also while nothing is taken in. */
int loop_add_control(struct watch *watch);

/* Waits at most so many milliseconds, and calls what is ready; while `held` only what was added by loop_add_control. */
void loop_turn(int held, int patience);

/* Releases what loop_free was called for. */
void loop_release(void);

/* Looks at the clock again, for loop_now. */
void loop_look_at_clock(void);

#endif

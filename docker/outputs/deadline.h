/* How long to wait for a target, which is less once the program has been asked to end. */
#ifndef DEADLINE_H
#define DEADLINE_H

#include <stdint.h>

/* On a clock that does not step. */
int64_t now_ms(void);
/* Until when an answer may come that is waited for from now on. */
int64_t deadline_for_answer(void);
/* Whether it is past, or past soon after it was asked to end, to when it is set then. */
int is_over(int64_t *deadline);
/* Waits for events of poll on the descriptor: 1 when they are there, 0 at the deadline, -1 with errno. */
int wait_until(int file, short events, int64_t deadline);
/* For so long, or until a signal comes. */
void pause_ms(int64_t milliseconds);

/* From here on SIGTERM and SIGINT ask to end. */
void deadline_watch_signals(void);
int asked_to_end(void);
/* The time for what is left is over. */
int end_is_over(void);
/* Around a call that no signal interrupts, such as a question to a name server: it ends the program in time. */
void may_end_at_once(int may);

#endif

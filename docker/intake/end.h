/* The end of the intake, in order: what senders have written by then is taken. */
#ifndef END_H
#define END_H

void end_in_order(void);

#endif

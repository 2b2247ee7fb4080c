#ifndef RUN_H
#define RUN_H

/* Takes syslog in until SIGTERM: the exit status, a code of sysexits.h. The networks and TLS are prepared already. */
int run(void);

/* Writes what was appended to the journal. 0; or -1 where that can't be: then it stays in memory, and nothing is taken in
 * until it could. */
int flush_lines(void);

/* Whether there is room for what one read brings, and less waits than may. */
int may_take(void);

/* As many descriptors as the system gives, and no more connections than fit. */
void count_descriptors(void);

#endif

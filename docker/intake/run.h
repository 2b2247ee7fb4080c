#ifndef RUN_H
#define RUN_H

/* Takes syslog in until SIGTERM: the exit status, a code of sysexits.h. The networks and TLS are prepared already. */
int run(void);

/* As many descriptors as the system gives, and no more connections than fit. */
void count_descriptors(void);

#endif

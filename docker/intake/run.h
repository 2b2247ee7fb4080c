#ifndef RUN_H
#define RUN_H

/* Takes syslog in until SIGTERM: the exit status, a code of sysexits.h. The networks and TLS are prepared already. */
int run(void);

#endif

/* What the program says on standard error: one line each, beginning with "ossec-log-server: ". */
#ifndef SAY_H
#define SAY_H

#include <stdint.h>

/* One line, at once. Control characters become spaces. A standard error that takes nothing holds nobody up. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What may happen often is told of at once, and then at most once a minute, with how often it was. */
enum notice {
    NOTICE_REFUSED,     /* detail: the sender's address, as for the next two */
    NOTICE_SOURCE,
    NOTICE_CONNECTIONS,
    NOTICE_DESCRIPTORS, /* detail: what the system said */
    NOTICE_CUT,
    NOTICE_LOST,
    NOTICE_TLS,         /* detail: address and reason */
    NOTICE_RELP,        /* detail: address and reason */
    NOTICE_PROXY,       /* detail: the balancer's address and reason */
    NOTICE_DISK,        /* detail: what the system said */
    NOTICES
};
void notice(enum notice kind, uint64_t times, const char *detail);

/* Tells what is due; to be called now and then with the time in milliseconds. */
void notices_tell(uint64_t now);

#endif

/* The signals that the server holds until it can take them: what stops it, asks it to reload, or would end it without a word. */
#ifndef HELD_H
#define HELD_H

#include <signal.h>
#include <stddef.h>

/* SIG_BLOCK or SIG_UNBLOCK. Whether it could. */
static inline int held_signals(int how)
{
    static const int held[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGPIPE};
    sigset_t signals;

    sigemptyset(&signals);
    for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++) {
        sigaddset(&signals, held[i]);
    }
    return sigprocmask(how, &signals, NULL) == 0;
}

#endif

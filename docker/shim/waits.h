#ifndef SHIM_WAITS_H
#define SHIM_WAITS_H

#include <signal.h>

/* Whether the daemon was asked to end. */
extern volatile sig_atomic_t shim_ending;

#endif

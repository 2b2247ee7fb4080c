/* The engine says when it has written alerts, on the page of memory that it shares with the others. */
#ifndef WAKE_H
#define WAKE_H

#include <stdint.h>

/* To be asked before it is looked for alerts. */
uint32_t wake_count(void);

/* Where nothing was found: returns when the engine has written alerts since then, or a signal came, or after a while. */
void wake_wait(uint32_t count);

#endif

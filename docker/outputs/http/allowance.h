/* How many notices may go out in an hour, and what became of all others; kept on the volume beside the position. */
#ifndef ALLOWANCE_H
#define ALLOWANCE_H

#include "notice.h"

#define HOUR 3600 /* seconds */

struct allowance {
    const char *path;       /* its file is PATH.recent */
    int file;               /* -1 for none */
    long sent, began;       /* in this hour, and when that began in seconds since 1970 */
    struct summary held;    /* what came beyond it */
    unsigned long refused, summarised; /* alerts, since the volume was made */
};

void allowance_open(struct allowance *a, const char *path);
/* 0, or -1 with errno. */
int allowance_keep(struct allowance *a);
/* The hour is over, or the clock has gone back to before it. */
int allowance_is_over(const struct allowance *a, long now);
/* Begins a new hour with the next notice. */
void allowance_begin(struct allowance *a, long now);
/* One more that is not sent. */
void allowance_hold(struct allowance *a, long level, long rule, long now);

#endif

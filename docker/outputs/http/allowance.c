#include "allowance.h"

#include <stdio.h>
#include <string.h>

#include "../position.h"

void allowance_open(struct allowance *a, const char *path)
{
    char line[RECENT_SIZE];

    memset(a, 0, sizeof(*a));
    a->path = path;
    a->file = -1;
    if (position_read_recent(path, line) == 0 &&
        sscanf(line, "%ld %ld %lu %ld %ld %ld %lu %lu", &a->began, &a->sent, &a->held.count, &a->held.level, &a->held.rule,
               &a->held.since, &a->refused, &a->summarised) != 8) {
        allowance_begin(a, 0);
    }
}

int allowance_keep(struct allowance *a)
{
    char line[RECENT_SIZE];

    snprintf(line, sizeof(line), "%ld %ld %lu %ld %ld %ld %lu %lu", a->began, a->sent, a->held.count, a->held.level, a->held.rule,
             a->held.since, a->refused, a->summarised);
    return position_write_recent(a->path, &a->file, line);
}

int allowance_is_over(const struct allowance *a, long now)
{
    return now >= a->began + HOUR || now < a->began;
}

void allowance_begin(struct allowance *a, long now)
{
    a->began = now;
    a->sent = 0;
    memset(&a->held, 0, sizeof(a->held));
}

void allowance_hold(struct allowance *a, long level, long rule, long now)
{
    if (a->held.count++ == 0) {
        a->held.since = now;
    }
    a->summarised++;
    if (level > a->held.level) {
        a->held.level = level;
        a->held.rule = rule;
    }
}

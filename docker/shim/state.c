/* Before 4.2.0 the engine has one thread and tells nobody what it has done. Here it writes the state file that later
 * ones write, when a second has passed since the last or nothing more is waiting. It comes here for the next message,
 * so every one before that is analysed. */
#include <poll.h>
#include <stdio.h>
#include <time.h>

#include "state.h"

#define STATE "/var/run/ossec-analysisd.state"
#define INTERVAL 1000 /* milliseconds */

static long milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void tell(void)
{
    FILE *file = fopen(STATE ".part", "w");

    if (file == NULL) {
        return; /* the analysis is worth more than its counters */
    }
    fprintf(file, "events_received='%lu'\nevents_processed='%lu'\nalerts_written='%lu'\n", shim_events, shim_events,
            shim_alerts);
    if (fclose(file) == 0) {
        rename(STATE ".part", STATE);
    }
}

int __real_OS_RecvUnix(int socket, int size, char *message);

int __wrap_OS_RecvUnix(int socket, int size, char *message)
{
    static unsigned long told;
    static long told_at;

    if (shim_events != told) {
        struct pollfd queue = {.fd = socket, .events = POLLIN};
        long rest = told_at + INTERVAL - milliseconds();

        if (rest <= 0 || poll(&queue, 1, (int)rest) == 0) {
            tell();
            told = shim_events;
            told_at = milliseconds();
        }
    }
    return __real_OS_RecvUnix(socket, size, message);
}

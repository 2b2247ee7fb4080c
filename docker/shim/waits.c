/* A daemon that was asked to end finishes its waits first. Here the waits know that it was asked. */
#include "waits.h"

#include <time.h>
#include <unistd.h>

volatile sig_atomic_t shim_ending = 0;

unsigned int __real_sleep(unsigned int seconds);

unsigned int __wrap_sleep(unsigned int seconds)
{
    const struct timespec moment = {0, 20000000};

    if (shim_ending) {
        nanosleep(&moment, NULL);
        return 0;
    }
    return __real_sleep(seconds);
}

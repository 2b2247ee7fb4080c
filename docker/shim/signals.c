/* A daemon that was asked to end finishes its waits first. Here the waits know that it was asked. */
#include <signal.h>
#include <time.h>
#include <unistd.h>

volatile sig_atomic_t shim_ending = 0;

static void (*handler)(int);

static void note_and_pass_on(int sig)
{
    shim_ending = 1;
    handler(sig);
}

void __real_StartSIG2(const char *process_name, void (*func)(int));

void __wrap_StartSIG2(const char *process_name, void (*func)(int))
{
    handler = func;
    __real_StartSIG2(process_name, note_and_pass_on);
}

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

/* Tells the waits that the daemon was asked to end. Before 4.2.0 no daemon of the image comes here: a signal ends it. */
#include "waits.h"

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

/* The rule tester prints the header of a line before the shim has mended what the engine made of it. That is held back,
 * and one_thread.c prints it after that. */
#include "print.h"

#include <stdarg.h>
#include <stdio.h>

static int holding, held;

void print_hold(void)
{
    holding = 1;
    held = 0;
}

int print_release(void)
{
    holding = 0;
    return held;
}

void __wrap_print_out(const char *format, ...)
{
    va_list values;

    if (holding) {
        held++;
        return;
    }
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
}

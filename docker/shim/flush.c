#include "flush.h"

#include <stdarg.h>

int (*shim_deferred)(FILE *file);

int __real_fflush(FILE *file);

int shim_flush(FILE *file) { return __real_fflush(file); }

int __wrap_fflush(FILE *file) { return file != NULL && shim_deferred != NULL && shim_deferred(file) ? 0 : __real_fflush(file); }

void tell(const char *format, ...)
{
    char line[1024];
    va_list values;

    va_start(values, format);
    vsnprintf(line, sizeof(line), format, values);
    va_end(values);
    fprintf(stderr, "ossec-log-server: %s\n", line);
}

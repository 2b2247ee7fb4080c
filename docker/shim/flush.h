/* What stands between the programs and fflush: nothing, but in the engine, which gives the kernel whole batches. */
#ifndef SHIM_FLUSH_H
#define SHIM_FLUSH_H

#include <stdio.h>

/* Whether flushing the file is put off; NULL where none is. */
extern int (*shim_deferred)(FILE *file);
/* Flushes it now. 0, or EOF with errno. */
int shim_flush(FILE *file);
/* A line of ours on standard error. */
void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

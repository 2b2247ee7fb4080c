#ifndef SHIM_PRINT_H
#define SHIM_PRINT_H

/* From here on what the engine prints is only counted. */
void print_hold(void);

/* From here on it is printed again. How many lines were not. */
int print_release(void);

#endif

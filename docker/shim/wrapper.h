#ifndef SHIM_WRAPPER_H
#define SHIM_WRAPPER_H

/* Leaves of a line in a container runtime's wrapper, CRI's or that of Docker's json-file, what the container printed, in its place.
 * Returns whether there was one. */
int without_wrapper(char *line);

#endif

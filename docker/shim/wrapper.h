#ifndef SHIM_WRAPPER_H
#define SHIM_WRAPPER_H

/* Takes a container runtime's wrapper, CRI's or that of Docker's json-file, off the line, in its place: what the container printed
 * is left. Returns whether there was one. */
int without_wrapper(char *line);

#endif

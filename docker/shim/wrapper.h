#ifndef SHIM_WRAPPER_H
#define SHIM_WRAPPER_H

/* Takes the wrapper of a container runtime, CRI's or that of Docker's json-file, or of systemd's journal off the line, in its place:
 * what was printed is left. Returns whether there was one. */
int without_wrapper(char *line);

#endif

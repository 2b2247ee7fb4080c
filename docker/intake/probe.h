#ifndef PROBE_H
#define PROBE_H

/* Whether every input of the running intake takes what is sent to it: the exit status, and a line for what does not. */
int probe(void);

#endif

#ifndef INTAKE_FILTER_H
#define INTAKE_FILTER_H

/* Reads lines from standard input as that sender's, and writes each as the engine would get it. An exit status. */
int filter_lines(const char *sender);

#endif

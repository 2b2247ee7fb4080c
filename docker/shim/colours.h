#ifndef SHIM_COLOURS_H
#define SHIM_COLOURS_H

/* Takes a terminal's colours, such as "\x1b[1;31m", out of the line, in its place. Returns whether there were any. */
int without_colours(char *line);

#endif

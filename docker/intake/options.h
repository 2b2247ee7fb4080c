#ifndef OPTIONS_H
#define OPTIONS_H

enum mode { MODE_RUN, MODE_CHECK, MODE_NETWORKS, MODE_PROBE, MODE_READY, MODE_STATUS, MODE_HEADER };

/* Reads the command line into the settings. Ends the program with EX_USAGE where it is wrong. */
enum mode options_read(int argc, char **argv);

#endif

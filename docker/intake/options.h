#ifndef OPTIONS_H
#define OPTIONS_H

enum mode { MODE_RUN, MODE_CHECK, MODE_NETWORKS, MODE_PEERS, MODE_PROBE, MODE_STATUS, MODE_RELOAD, MODE_HEADER,
            MODE_SENDERS };

/* Reads the command line, and the file of options that it names, into the settings. Ends the program with EX_USAGE where it
 * is wrong. */
enum mode options_read(int argc, char **argv);

/* Reads the same again. 0, or -1 where it is wrong: then the settings are as they were. Once per success, options_keep or
 * options_undo says which of the two hold. */
int options_again(void);
void options_keep(void);
void options_undo(void);

#endif

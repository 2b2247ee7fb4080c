/* OSSEC's alert files, one a day, as the queue of an output: how far each has been handed on is kept on the volume. */
#ifndef FILES_H
#define FILES_H

#include <stddef.h>
#include <stdint.h>

#define DAYS 1024 /* files that may wait */
#define RECENT 7  /* files behind the one that is read that are looked at too, as clocks may be set back */

struct day {
    long date;       /* such as 20261123; 0 for none */
    uint64_t offset; /* bytes handed on, of the file as it is before OSSEC compresses it */
};

struct files {
    const char *folder, *position;
    uint64_t handed_on;    /* alerts, since the position was first kept */
    long since;            /* no file of an earlier date is looked at */
    struct day days[DAYS]; /* the oldest first, those of date 0 last */
    struct day *reading;
    int file;              /* of `reading`, -1 for none */
    struct gzFile_s *packed; /* instead of it, where OSSEC has compressed it */
    uint64_t inode;        /* of alerts.json when the folder was last looked through */
};

/* Reads the position, or begins at the end of what is there; one that only looks keeps nothing. 0, or -1 with errno. */
int files_open(struct files *f, const char *folder, const char *position, int only_look);
/* The next bytes that have not been handed on, with a whole line at least if it fits: their number, 0 if there are none
 * now, -1 with errno. */
long files_read(struct files *f, char *buffer, size_t size);
/* The first `length` of the bytes that were read last, in which there are `alerts`, are handed on. 0, or -1 with errno. */
int files_done(struct files *f, size_t length, uint64_t alerts);
/* How many bytes wait. */
uint64_t files_waiting(struct files *f);

#endif

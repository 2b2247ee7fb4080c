/* How far the engine is done with the journal: a file on the volume of three slots. Two take turns and are synced, when
 * the alerts and archive lines are on disk that the position stands for; a power failure leaves one of them whole. The
 * third is written after each batch and not synced: it outlives any process. It is believed only where the engine's
 * files are as they were when it was written; after a power failure they may not be. */
#ifndef DONE_H
#define DONE_H

#include <stdint.h>

#define DONE_FILES 3 /* of the engine: alerts.log, alerts.json, archives.log */

struct done {
    char magic[8];
    uint64_t sequence; /* of the write, so that of two synced slots the newer one counts */
    uint64_t position; /* in the journal: every line before it is done */
    struct {
        uint64_t inode, size; /* 0 where there is no such file */
    } file[DONE_FILES];
    uint64_t checksum;
};

enum done_slot { DONE_SYNCED, DONE_FAST };

/* Opens or makes the file in that folder. A descriptor, or -1 with errno. */
int done_open(const char *folder);

/* Writes a slot; DONE_SYNCED is on disk when it returns. 0, or -1 with errno. */
int done_write(int fd, enum done_slot slot, struct done *done);

/* The newest whole one of a kind. 1, or 0 where there is none. */
int done_read(int fd, enum done_slot slot, struct done *done);

#endif

/* A ring of datagrams in a file on the data volume, mapped into memory: what is written to it outlives the
 * process, killed or not, as long as the machine itself stays up. The file grows while much waits in it. */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#define JOURNAL_LEAST (16u << 20) /* bytes of the ring while little waits */
#define JOURNAL_RECORD_MAX 6144
#define ENGINE_HOLDS 20000 /* messages that the engine's queues hold at the most: local_internal_options.conf */

struct journal {
    char magic[8];
    uint64_t size; /* bytes of the ring */
    /* Positions count bytes since the journal was made; a position modulo the size is a place in the ring.
     * oldest <= unsent <= end, end - oldest <= size. */
    uint64_t oldest; /* the first record that is still there, as are all that the engine may hold */
    uint64_t unsent; /* the first record that the engine has not taken */
    uint64_t end;    /* where the next record goes */
    uint64_t settled; /* 1 when the engine has analysed all that it took */
    /* Counters since the journal was made. */
    uint64_t received, refused, cut, sent, repeated;
    char ring[];
};

/* The one journal that this process writes to; waits for another process that does. NULL, and errno, when it cannot be had. */
struct journal *journal_open(const char *path);
/* Any journal, to look at; NULL when there is none. */
struct journal *journal_look(const char *path);
/* Returns 0, and adds nothing, where more than `limit` bytes would wait, or the volume has no room for them. What the
 * engine may still hold stays in the journal beside what waits. */
int journal_add(struct journal **j, const char *data, uint32_t length, uint64_t limit);
/* The record at a position, copied to `data` (at least JOURNAL_RECORD_MAX bytes); returns the next position. */
uint64_t journal_read(const struct journal *j, uint64_t position, char *data, uint32_t *length);
/* Notes that the engine has the first that waits; `next` is what journal_read returned for that one. */
void journal_sent(struct journal *j, uint64_t next);
/* Gives the volume back what the journal took while much waited; to be called when nothing waits. */
void journal_shrink(struct journal **j);
/* Whether the volume has so little room left that what the engine writes might not fit. */
int journal_volume_full(void);

#endif

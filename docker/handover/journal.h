/* A ring of datagrams in a file on the data volume, mapped into memory: what is written to it outlives the
 * process, killed or not, as long as the machine itself stays up. */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#define JOURNAL_BYTES (16u << 20) /* the ring; the receiver's own queue on disk is behind it */

struct journal {
    char magic[8];
    /* Positions count bytes since the file was made; a position modulo JOURNAL_BYTES is a place in the ring.
     * oldest <= unsent <= end, end - oldest <= JOURNAL_BYTES. */
    uint64_t oldest; /* the first record that is still there */
    uint64_t unsent; /* the first record that the engine has not taken */
    uint64_t end;    /* where the next record goes */
    uint64_t settled; /* 1 when the engine has analysed all that it took */
    /* Counters since the file was made. */
    uint64_t received, refused, cut, sent, repeated;
    char ring[JOURNAL_BYTES];
};

/* NULL, and errno, when it cannot be had. Whoever writes to it opens it `alone`, and waits for another who does. */
struct journal *journal_open(const char *path, int alone);
/* Returns 0, and adds nothing, where less than `reserve` bytes would be free of what is not sent yet. */
int journal_add(struct journal *j, const char *data, uint32_t length, uint32_t reserve);
/* The record at a position, copied to `data` (at least JOURNAL_RECORD_MAX bytes); returns the next position. */
uint64_t journal_read(const struct journal *j, uint64_t position, char *data, uint32_t *length);

#define JOURNAL_RECORD_MAX 6144
#endif

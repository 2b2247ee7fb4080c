/* Reads the journal, from a position on, record by record. */
#ifndef READER_H
#define READER_H

#include <stddef.h>
#include <stdint.h>

struct reader {
    const char *folder;
    uint64_t position;    /* of the next record */
    uint64_t damaged;     /* bytes that could not be read, and were left out */
    int fd;               /* of the segment that holds it; -1 for none */
    uint64_t segment;     /* that one's first position */
    char *buffer;
    size_t from, filled;  /* what is in the buffer and not given yet */
};

/* 0, or -1 with errno. */
int reader_open(struct reader *r, const char *folder, uint64_t position);

/* The next record before the position `limit`, copied to `datagram` (JOURNAL_RECORD_MAX + 1 bytes, with a zero behind
 * it); its length, 0 where there is none yet, -1 with errno. A damaged record costs what is behind it in its segment,
 * and a line on standard error. */
int reader_next(struct reader *r, uint64_t limit, char *datagram);

#endif

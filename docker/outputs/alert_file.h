/* One of OSSEC's files of a day's alerts, as lines of JSON: as it is written, or compressed later. It is known again by its
 * beginning, whatever it is called then. */
#ifndef ALERT_FILE_H
#define ALERT_FILE_H

#include <stddef.h>
#include <stdint.h>

#define HEAD 4096         /* bytes of a file's beginning by which it is known */
#define BUFFER (1 << 18) /* bytes; no alert is longer */

struct alert_file {
    /* Kept on the volume. */
    long date;            /* such as 20261123 */
    uint64_t offset;      /* bytes handed on, of the file as it is before OSSEC compresses it */
    uint64_t inode;       /* of the file when it was not compressed; 0 for unknown */
    uint32_t head_length; /* so many bytes of its beginning have the checksum head_sum */
    uint32_t head_sum;
    /* As it lies there now. */
    int there, packed, part; /* part: the number in ossec-alerts-23-1.json.gz */
    int missing;             /* looks in a row in which it was not there */
    uint64_t length;         /* before compression; modulo 2^32 where it is compressed */
};

/* A file that is open for reading, and what has been read of it and not been taken. */
struct reader {
    int file; /* -1 for none */
    struct gzFile_s *packed;
    size_t start, end; /* in the buffer, of what is left */
    char buffer[BUFFER];
};

/* The date, part and packed of FOLDER/2026/Nov/ossec-alerts-23.json, which may end in .gz. 0, or -1 for another file. */
int alert_file_parse(struct alert_file *f, const char *path, size_t folder_length);
void alert_file_path(const struct alert_file *f, const char *folder, char *path, size_t size);
/* Looks at the file: inode and length. 0, or -1 where it is not there any more. */
int alert_file_stat(struct alert_file *f, const char *folder);
/* Whether what lies there is what was kept: `found` has been looked at, `known` is of the same date. */
int alert_file_is(const struct alert_file *known, const struct alert_file *found, const char *folder);
/* Whether the compressed one is the other, or is becoming it while this is looked at. */
int alert_file_copies(const struct alert_file *packed, const struct alert_file *plain, const char *folder);
/* Notes its beginning, where it has grown since. */
void alert_file_learn(struct alert_file *f, const char *folder);
/* Where the file does not hold what was handed on, as after a power failure: to the end of its last whole line before.
 * 1 if it did that. */
int alert_file_settle(struct alert_file *f, const char *folder);
/* How many bytes wait. */
uint64_t alert_file_waiting(const struct alert_file *f);

/* Opens it where it was handed on to. 0, or -1 with errno. */
int reader_open(struct reader *r, const struct alert_file *f, const char *folder);
void reader_close(struct reader *r);
/* More bytes into the buffer: 1 if there is more than before, 0 at the file's end, -1 if it can't be read. `offset` is that
 * of the first byte in the buffer. */
int reader_fill(struct reader *r, uint64_t offset);

#endif

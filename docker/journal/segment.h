/* The journal's files: their names, the head of a record, and the check of one. Writer and reader share it. */
#ifndef SEGMENT_H
#define SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#define SEGMENT_NAME_DIGITS 20
#define SEGMENT_MAGIC "OLSJRNL3" /* the first bytes of a segment; positions do not count them */
#define SEGMENT_HEAD 8

/* The head of a record; in the machine's own byte order, as a volume stays with its kind of machine. */
struct record {
    uint32_t length;   /* bytes of the datagram behind it */
    uint32_t checksum; /* CRC-32 of the position, the length and the datagram */
    uint64_t position; /* of the record itself */
};

uint32_t record_checksum(const struct record *head, const char *datagram);

/* Whether `size` bytes begin with a whole and undamaged record of that position. */
int record_is_whole(const char *bytes, size_t size, uint64_t position);

/* The positions in the names of the folder's segments, sorted; their number, or -1 with errno. The caller frees them. */
long segments_list(const char *folder, uint64_t **positions);

/* Writes the segment's path; returns `path`. */
char *segment_path(const char *folder, uint64_t position, char *path, size_t size);

#endif

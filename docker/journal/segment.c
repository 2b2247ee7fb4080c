#include "segment.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal.h"

uint32_t record_checksum(const struct record *head, const char *datagram)
{
    uint32_t sum = libdeflate_crc32(0, &head->position, sizeof(head->position));

    sum = libdeflate_crc32(sum, &head->length, sizeof(head->length));
    return libdeflate_crc32(sum, datagram, head->length);
}

int record_is_whole(const char *bytes, size_t size, uint64_t position)
{
    struct record head;

    if (size < sizeof(head)) {
        return 0;
    }
    memcpy(&head, bytes, sizeof(head));
    return head.position == position && head.length > 0 && head.length <= JOURNAL_RECORD_MAX &&
           head.length <= size - sizeof(head) && head.checksum == record_checksum(&head, bytes + sizeof(head));
}

char *segment_path(const char *folder, uint64_t position, char *path, size_t size)
{
    snprintf(path, size, "%s/%0*" PRIu64, folder, SEGMENT_NAME_DIGITS, position);
    return path;
}

static int by_position(const void *one, const void *other)
{
    uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;

    return a < b ? -1 : a > b;
}

long segments_list(const char *folder, uint64_t **positions)
{
    DIR *open_folder = opendir(folder);
    uint64_t *found = NULL, *more;
    long count = 0;
    struct dirent *entry;

    if (open_folder == NULL) {
        return -1;
    }
    while ((entry = readdir(open_folder)) != NULL) {
        if (strlen(entry->d_name) != SEGMENT_NAME_DIGITS || strspn(entry->d_name, "0123456789") != SEGMENT_NAME_DIGITS) {
            continue;
        }
        if (count % 64 == 0) {
            if ((more = realloc(found, (size_t)(count + 64) * sizeof(*found))) == NULL) {
                free(found);
                closedir(open_folder);
                errno = ENOMEM;
                return -1;
            }
            found = more;
        }
        found[count++] = strtoull(entry->d_name, NULL, 10);
    }
    closedir(open_folder);
    if (count > 0) {
        qsort(found, (size_t)count, sizeof(*found), by_position);
    }
    *positions = found;
    return count;
}

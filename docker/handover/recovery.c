#define _GNU_SOURCE
#include "recovery.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ARCHIVE "/var/ossec/logs/archives/archives.log"
#define ENGINE_QUEUES 512    /* of the messages that the engine holds, those that are not in its queue to the archive */
#define ARCHIVE_TAIL 65536   /* bytes of the archive in which the last analysed message is looked for */

/* Whether the line, of the archive's form "TIME HOST->LOCATION MESSAGE", is of the journal's record. */
static int is_of(const struct journal *j, const char *line, size_t length, uint64_t record)
{
    char datagram[JOURNAL_RECORD_MAX];
    uint32_t size;
    const char *message;

    journal_read(j, record, datagram, &size);
    message = memchr(datagram + 2, ':', size - 2);
    if (message == NULL) {
        return 0;
    }
    size -= (uint32_t)(++message - datagram);
    return size > 0 && length > size && line[length - size - 1] == ' ' &&
           memcmp(line + length - size, message, size) == 0;
}

/* Of `count` records, whose last ENGINE_HOLDS stand in `positions`, the number of the first that is not known to be
 * in the archive: the one behind that which the archive's last lines name. Where they name none (no archive is
 * kept, or a new one has begun), the newest that fit into the engine's queues count as not analysed. */
static uint64_t after_the_archived(const struct journal *j, const uint64_t *positions, uint64_t count)
{
    static char tail[ARCHIVE_TAIL];
    uint64_t oldest = count > ENGINE_HOLDS ? count - ENGINE_HOLDS : 0;
    ssize_t got = 0;
    int fd = open(ARCHIVE, O_RDONLY | O_CLOEXEC);
    char *end;

    if (fd >= 0) {
        off_t size = lseek(fd, 0, SEEK_END);
        got = pread(fd, tail, sizeof(tail), size > ARCHIVE_TAIL ? size - ARCHIVE_TAIL : 0);
        close(fd);
    }
    /* Line by line from the end: the last may be one of the engine's own. */
    end = got > 0 ? memrchr(tail, '\n', (size_t)got) : NULL;
    while (end != NULL) {
        char *start = memrchr(tail, '\n', (size_t)(end - tail));

        if (start == NULL) {
            break;
        }
        for (uint64_t n = count; n > oldest; n--) {
            if (is_of(j, start + 1, (size_t)(end - start - 1), positions[(n - 1) % ENGINE_HOLDS])) {
                return n;
            }
        }
        end = start;
    }
    return count > ENGINE_QUEUES ? count - ENGINE_QUEUES : 0;
}

void take_back(struct journal *j)
{
    static uint64_t positions[ENGINE_HOLDS];
    uint64_t from, position, count = 0;
    char datagram[JOURNAL_RECORD_MAX];
    uint32_t length;

    if (j->settled) {
        return;
    }
    for (position = j->oldest; position < j->unsent;) {
        positions[count++ % ENGINE_HOLDS] = position;
        position = journal_read(j, position, datagram, &length);
    }
    from = after_the_archived(j, positions, count);
    if (from < count) {
        j->unsent = positions[from % ENGINE_HOLDS];
        j->repeated += count - from;
        fprintf(stderr, "ossec-handover: the engine was killed; %" PRIu64 " messages that it held are sent again\n",
                count - from);
    }
}

#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char MAGIC[8] = "OLSJRNL1";

struct journal *journal_open(const char *path, int alone)
{
    struct journal *j;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);

    if (fd < 0) {
        return NULL;
    }
    if (alone && flock(fd, LOCK_EX) != 0) {
        close(fd);
        return NULL;
    }
    /* Allocated now: on a disk that is full later, writing to the map would kill the process. */
    errno = posix_fallocate(fd, 0, sizeof(*j));
    if (errno != 0) {
        close(fd);
        return NULL;
    }
    j = mmap(NULL, sizeof(*j), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (!alone) {
        close(fd); /* else it stays open, and with it the lock */
    }
    if (j == MAP_FAILED) {
        return NULL;
    }
    if (memcmp(j->magic, MAGIC, sizeof(MAGIC)) != 0 || j->oldest > j->unsent || j->unsent > j->end ||
        j->end - j->oldest > JOURNAL_BYTES) {
        memset(j, 0, offsetof(struct journal, ring));
        memcpy(j->magic, MAGIC, sizeof(MAGIC));
        j->settled = 1;
    }
    return j;
}

static void copy_in(struct journal *j, uint64_t position, const void *data, size_t length)
{
    size_t place = position % JOURNAL_BYTES;
    size_t first = length < JOURNAL_BYTES - place ? length : JOURNAL_BYTES - place;

    memcpy(j->ring + place, data, first);
    memcpy(j->ring, (const char *)data + first, length - first);
}

static void copy_out(const struct journal *j, uint64_t position, void *data, size_t length)
{
    size_t place = position % JOURNAL_BYTES;
    size_t first = length < JOURNAL_BYTES - place ? length : JOURNAL_BYTES - place;

    memcpy(data, j->ring + place, first);
    memcpy((char *)data + first, j->ring, length - first);
}

int journal_add(struct journal *j, const char *data, uint32_t length, uint32_t reserve)
{
    uint64_t need = sizeof(length) + length;

    if (j->end + need + reserve - j->unsent > JOURNAL_BYTES) {
        return 0;
    }

    while (j->end + need - j->oldest > JOURNAL_BYTES) {
        uint32_t gone;

        copy_out(j, j->oldest, &gone, sizeof(gone));
        j->oldest += sizeof(gone) + gone;
    }
    copy_in(j, j->end, &length, sizeof(length));
    copy_in(j, j->end + sizeof(length), data, length);
    /* Last, and not before the record is whole: whoever opens the file after a kill believes `end`. */
    __atomic_store_n(&j->end, j->end + need, __ATOMIC_RELEASE);
    j->received++;
    return 1;
}

uint64_t journal_read(const struct journal *j, uint64_t position, char *data, uint32_t *length)
{
    copy_out(j, position, length, sizeof(*length));
    if (*length > JOURNAL_RECORD_MAX) {
        *length = JOURNAL_RECORD_MAX;
    }
    copy_out(j, position + sizeof(*length), data, *length);
    return position + sizeof(*length) + *length;
}

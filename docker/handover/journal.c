#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define KEPT_FREE (4u << 20) /* bytes of the volume: more than the engine writes of what its queues hold */
#define REST 10 /* seconds without growth after which the journal may shrink, so that it does not do both in turn */

static const char MAGIC[8] = "OLSJRNL2";

/* Of the journal that was opened alone. */
static char own_path[PATH_MAX];
static int own_fd = -1;
static uint64_t given[ENGINE_HOLDS]; /* where the newest begin that the engine was given, a ring of its own */
static uint64_t given_count;
static time_t grown;                 /* when, on a clock that is never set */

static struct journal *map(int fd, uint64_t size)
{
    void *at = mmap(NULL, sizeof(struct journal) + size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    return at == MAP_FAILED ? NULL : at;
}

/* Allocated now: on a disk that is full later, writing to the map would kill the process. */
static struct journal *make(int fd, uint64_t size)
{
    struct journal *j;

    errno = posix_fallocate(fd, 0, (off_t)(sizeof(*j) + size));
    if (errno != 0 || (j = map(fd, size)) == NULL) {
        return NULL;
    }
    memset(j, 0, sizeof(*j));
    memcpy(j->magic, MAGIC, sizeof(MAGIC));
    j->size = size;
    j->settled = 1;
    return j;
}

/* Whether the file holds a journal; its header is read into `head`. */
static int is_journal(int fd, struct journal *head)
{
    struct stat file;

    return fstat(fd, &file) == 0 && pread(fd, head, sizeof(*head), 0) == sizeof(*head) &&
           memcmp(head->magic, MAGIC, sizeof(MAGIC)) == 0 && head->size >= JOURNAL_LEAST &&
           (uint64_t)file.st_size >= sizeof(*head) + head->size && head->oldest <= head->unsent &&
           head->unsent <= head->end && head->end - head->oldest <= head->size;
}

struct journal *journal_look(const char *path)
{
    struct journal head, *j = NULL;
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd >= 0) {
        if (is_journal(fd, &head)) {
            j = map(fd, head.size);
        }
        close(fd);
    }
    return j;
}

/* A descriptor of the file, locked. Whoever had it before may have put another file in its place meanwhile. */
static int open_locked(const char *path)
{
    struct stat there, here;

    for (;;) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);

        if (fd < 0) {
            return -1;
        }
        if (flock(fd, LOCK_EX) != 0 || fstat(fd, &here) != 0) {
            close(fd);
            return -1;
        }
        if (stat(path, &there) == 0 && here.st_ino == there.st_ino) {
            return fd;
        }
        close(fd);
    }
}

struct journal *journal_open(const char *path)
{
    struct journal head;
    struct stat file;

    if (snprintf(own_path, sizeof(own_path), "%s", path) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    own_fd = open_locked(path);
    if (own_fd < 0) {
        return NULL;
    }
    if (is_journal(own_fd, &head)) {
        return map(own_fd, head.size);
    }
    if (fstat(own_fd, &file) == 0 && file.st_size > 0) {
        fprintf(stderr, "ossec-handover: %s is no journal of this version; a new one begins\n", path);
    }
    return make(own_fd, JOURNAL_LEAST);
}

int journal_volume_full(void)
{
    struct statvfs volume;

    return statvfs(own_path, &volume) == 0 && (uint64_t)volume.f_bavail * volume.f_frsize < KEPT_FREE;
}

static void copy_in(struct journal *j, uint64_t position, const void *data, size_t length)
{
    size_t place = position % j->size;
    size_t first = length < j->size - place ? length : j->size - place;

    memcpy(j->ring + place, data, first);
    memcpy(j->ring, (const char *)data + first, length - first);
}

static void copy_out(const struct journal *j, uint64_t position, void *data, size_t length)
{
    size_t place = position % j->size;
    size_t first = length < j->size - place ? length : j->size - place;

    memcpy(data, j->ring + place, first);
    memcpy((char *)data + first, j->ring, length - first);
}

static void forget_oldest(struct journal *j)
{
    uint32_t gone;

    copy_out(j, j->oldest, &gone, sizeof(gone));
    j->oldest += sizeof(gone) + gone;
}

/* Moves all that fits into a journal of another size, in a file that takes the place of the old one at once: whoever
 * is killed in between leaves the old one whole. The old one stays where the volume has no room for both. */
static int resize(struct journal **of, uint64_t size)
{
    struct journal *old = *of, *j = NULL;
    struct statvfs volume;
    char path[PATH_MAX + 4];
    char chunk[65536];
    int fd;

    if (statvfs(own_path, &volume) != 0 || (uint64_t)volume.f_bavail * volume.f_frsize < size + KEPT_FREE) {
        return 0;
    }
    snprintf(path, sizeof(path), "%s.new", own_path);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0) {
        return 0;
    }
    if (flock(fd, LOCK_EX) != 0 || (j = make(fd, size)) == NULL) {
        unlink(path);
        close(fd);
        return 0;
    }
    while (old->end - old->oldest > size) {
        forget_oldest(old);
    }
    for (uint64_t position = old->oldest, length; position < old->end; position += length) {
        length = old->end - position < sizeof(chunk) ? old->end - position : sizeof(chunk);
        copy_out(old, position, chunk, length);
        copy_in(j, position, chunk, length);
    }
    memcpy(&j->oldest, &old->oldest, offsetof(struct journal, ring) - offsetof(struct journal, oldest));
    if (rename(path, own_path) != 0) {
        munmap(j, sizeof(*j) + size);
        unlink(path);
        close(fd);
        return 0;
    }
    munmap(old, sizeof(*old) + old->size);
    close(own_fd);
    own_fd = fd;
    *of = j;
    return 1;
}

static time_t seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* The bytes that have to stay: what waits, and before it what the engine may have in its hands. */
static uint64_t needed(const struct journal *j)
{
    uint64_t from = j->unsent;

    if (given_count > 0) {
        from = given[given_count < ENGINE_HOLDS ? 0 : given_count % ENGINE_HOLDS];
    }
    return j->end - (from > j->oldest ? from : j->oldest);
}

void journal_sent(struct journal *j, uint64_t next)
{
    given[given_count++ % ENGINE_HOLDS] = j->unsent;
    j->unsent = next;
    j->sent++;
}

void journal_shrink(struct journal **j)
{
    if ((*j)->size > JOURNAL_LEAST && needed(*j) <= JOURNAL_LEAST && seconds() - grown >= REST) {
        resize(j, JOURNAL_LEAST);
    }
}

/* Makes room for the bytes that are wanted, of which some wait and the engine may hold the others. Returns 0 where the
 * volume has none and more than half of the ring waits: the other half stays the engine's. */
static int grow(struct journal **of, uint64_t waiting, uint64_t wanted, uint64_t limit)
{
    uint64_t size = 2 * (*of)->size;

    if (size > limit + JOURNAL_LEAST) {
        size = limit + JOURNAL_LEAST;
    }
    if (size < wanted) {
        size = wanted + JOURNAL_LEAST; /* the engine holds much: long messages */
    }
    if (resize(of, size)) {
        grown = seconds();
        return 1;
    }
    return waiting <= (*of)->size / 2;
}

int journal_add(struct journal **of, const char *data, uint32_t length, uint64_t limit)
{
    uint64_t need = sizeof(length) + length;
    struct journal *j = *of;
    uint64_t waiting = j->end + need - j->unsent;
    uint64_t wanted = needed(j) + need;

    if (waiting > limit && waiting > need) { /* one may always wait, however little is allowed */
        return 0;
    }
    if (wanted > j->size && !grow(of, waiting, wanted, limit)) {
        return 0;
    }
    j = *of;
    while (j->end + need - j->oldest > j->size) {
        forget_oldest(j);
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

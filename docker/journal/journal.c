#define _GNU_SOURCE
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "segment.h"
#include "writer.h"

#define SEGMENT_SIZE (4u << 20) /* bytes after which the next segment begins */
#define KEPT_FREE (4u << 20)    /* bytes of the volume: more than the engine writes of one batch */
#define STEP (1u << 20)         /* bytes that are set aside at once, beyond what is asked for */

uint64_t journal_appended(const struct journal *j) { return j->appended; }
uint64_t journal_flushed(const struct journal *j) { return load(&j->state->flushed); }
uint64_t journal_synced(const struct journal *j) { return load(&j->state->synced); }

uint64_t journal_waiting(const struct journal *j)
{
    uint64_t done = load(&j->state->done);

    return j->appended > done ? j->appended - done : 0;
}

int journal_volume_full(const struct journal *j)
{
    struct statvfs volume;

    return fstatvfs(j->folder_fd, &volume) == 0 && (uint64_t)volume.f_bavail * volume.f_frsize < KEPT_FREE;
}

/* Sets room aside in a segment's file, from one position to another: no other process gets it then. 0, or -1 with errno. */
static int set_room_aside(struct journal *j, int fd, uint64_t segment, uint64_t from, uint64_t to)
{
    struct statvfs volume;
    int result;

    if (j->no_reserve) {
        return 0;
    }
    if (fstatvfs(j->folder_fd, &volume) == 0 && (uint64_t)volume.f_bavail * volume.f_frsize < KEPT_FREE + to - from) {
        errno = ENOSPC;
        return -1;
    }
    do {
        result = fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)(SEGMENT_HEAD + from - segment), (off_t)(to - from));
    } while (result != 0 && errno == EINTR);
    if (result != 0 && errno != ENOSPC && errno != EDQUOT && errno != EFBIG && errno != EIO) {
        j->no_reserve = 1; /* NFS before 4.2, exFAT, many FUSE: there, only what is free is looked at */
        result = 0;
    }
    return result;
}

int journal_make_room(struct journal *j)
{
    uint64_t needed = j->appended + JOURNAL_ROOM, from = j->reserved > j->written ? j->reserved : j->written;

    if (needed <= j->reserved) {
        return 1;
    }
    if (j->no_reserve) {
        return !j->failed;
    }
    if (set_room_aside(j, j->fd, j->segment, from, needed + STEP) != 0) {
        return 0;
    }
    j->reserved = needed + STEP;
    return 1;
}

/* Gives back what was set aside in a segment and not needed. */
static void leave(struct journal *j)
{
    struct stat file;

    if (fstat(j->fd, &file) != 0 || ftruncate(j->fd, file.st_size) != 0) {
        return; /* it is given back when the segment is deleted */
    }
    j->unsynced[j->unsynced_count++] = j->fd;
}

int begin_segment(struct journal *j)
{
    char path[PATH_MAX];
    uint64_t room = j->appended - j->written + JOURNAL_ROOM; /* as much as is promised in the one before */
    int fd = open(segment_path(j->folder, j->written, path, sizeof(path)), O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0640);

    if (fd < 0) {
        return -1;
    }
    errno = ENOSPC;
    if (write(fd, SEGMENT_MAGIC, SEGMENT_HEAD) != SEGMENT_HEAD ||
        (j->reserved > 0 && set_room_aside(j, fd, j->written, j->written, j->written + room) != 0)) {
        int why = errno;

        unlink(path);
        close(fd);
        errno = why;
        return -1;
    }
    pthread_mutex_lock(&j->lock);
    if (j->fd >= 0) {
        leave(j);
    }
    j->reserved = j->reserved > 0 ? j->written + room : 0;
    j->fd = fd;
    j->new_names = 1;
    pthread_mutex_unlock(&j->lock);
    j->segment = j->written;
    return 0;
}

struct state *journal_state(struct journal *j) { return j->state; }

void journal_append(struct journal *j, const char *datagram, uint32_t length)
{
    struct record head = {length, 0, j->appended};
    size_t filled = j->appended - j->written;

    if (filled + sizeof(head) + length > j->room) {
        char *more = realloc(j->buffer, 2 * j->room);

        if (more == NULL) {
            fputs("ossec-log-server: out of memory for the journal\n", stderr);
            abort(); /* the container ends and is started again: a line may not be dropped in silence */
        }
        j->buffer = more;
        j->room *= 2;
    }
    head.checksum = record_checksum(&head, datagram);
    memcpy(j->buffer + filled, &head, sizeof(head));
    memcpy(j->buffer + filled + sizeof(head), datagram, length);
    j->appended += sizeof(head) + length;
}

static void wake_engine(struct state *s)
{
    if (__atomic_exchange_n(&s->asleep, 0, __ATOMIC_SEQ_CST)) {
        syscall(SYS_futex, &s->asleep, FUTEX_WAKE, 1, NULL, NULL, 0);
    }
}

int journal_flush(struct journal *j)
{
    j->failed = 0;
    if (j->appended == j->written) {
        return 0;
    }
    if (j->written - j->segment >= SEGMENT_SIZE && j->written == load(&j->state->flushed) && j->unsynced_count < UNSYNCED) {
        begin_segment(j); /* where there is no room for another, this one grows */
    }
    while (j->written < j->appended) {
        ssize_t got = write(j->fd, j->buffer, j->appended - j->written);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            j->failed = 1;
            return -1;
        }
        memmove(j->buffer, j->buffer + got, j->appended - j->written - (size_t)got);
        j->written += (uint64_t)got;
    }
    __atomic_store_n(&j->state->flushed, j->written, __ATOMIC_SEQ_CST);
    wake_engine(j->state);
    return 0;
}

int journal_sync(struct journal *j)
{
    uint64_t until = load(&j->state->flushed);
    int left[UNSYNCED + 1], count, new_names, result = 0;

    pthread_mutex_lock(&j->lock);
    count = j->unsynced_count;
    new_names = j->new_names;
    memcpy(left, j->unsynced, sizeof(j->unsynced));
    left[count++] = dup(j->fd);
    j->unsynced_count = j->new_names = 0;
    pthread_mutex_unlock(&j->lock);
    for (int n = 0; n < count; n++) {
        result |= fdatasync(left[n]);
        close(left[n]);
    }
    if (new_names) {
        result |= fsync(j->folder_fd);
    }
    if (result == 0) {
        store(&j->state->synced, until);
    }
    return result == 0 ? 0 : -1;
}

void journal_tidy(struct journal *j)
{
    uint64_t *segments = NULL, durable = load(&j->state->durable);
    long count = segments_list(j->folder, &segments);
    char path[PATH_MAX];

    for (long n = 0; n + 1 < count && segments[n + 1] <= durable; n++) {
        unlink(segment_path(j->folder, segments[n], path, sizeof(path)));
    }
    free(segments);
}

#define _GNU_SOURCE
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "done.h"
#include "segment.h"
#include "state.h"

#define SEGMENT_SIZE (4u << 20) /* bytes after which the next segment begins */
#define KEPT_FREE (4u << 20)    /* bytes of the volume: more than the engine writes of one batch */
#define UNSYNCED 64             /* segments that were left and are not synced yet */

struct journal {
    const char *folder;
    struct state *state;
    int fd, folder_fd;
    uint64_t segment;         /* first position of the one that is written to */
    uint64_t written;         /* position behind what is in files, which may be in the middle of a record */
    uint64_t appended;
    char *buffer;             /* what is appended and not written: from `written` to `appended` */
    size_t room;
    /* For journal_sync, which may run in a thread of its own; the descriptor above changes under this lock, too. */
    pthread_mutex_t lock;
    int unsynced[UNSYNCED], unsynced_count, new_names;
};

static uint64_t load(const uint64_t *of) { return __atomic_load_n(of, __ATOMIC_ACQUIRE); }
static void store(uint64_t *to, uint64_t value) { __atomic_store_n(to, value, __ATOMIC_RELEASE); }

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

/* Moves the file out of the way, under a name that no file has yet. */
static int set_aside(const char *path, const char *folder)
{
    char aside[PATH_MAX];

    for (int n = 0;; n++) {
        snprintf(aside, sizeof(aside), "%s/damaged-%s-%d", folder, strrchr(path, '/') + 1, n);
        if (access(aside, F_OK) != 0) {
            break;
        }
    }
    fprintf(stderr, "ossec-log-server: %s is not a whole part of the journal; it is set aside as %s\n", path, aside);
    return rename(path, aside);
}

/* Where the segment's last whole record ends, in bytes of the file; 0 where it is no segment. */
static size_t whole_part(const char *bytes, size_t size, uint64_t segment)
{
    size_t at = SEGMENT_HEAD;

    if (size < SEGMENT_HEAD || memcmp(bytes, SEGMENT_MAGIC, SEGMENT_HEAD) != 0) {
        return 0;
    }
    while (record_is_whole(bytes + at, size - at, segment + at - SEGMENT_HEAD)) {
        struct record head;

        memcpy(&head, bytes + at, sizeof(head));
        at += sizeof(head) + head.length;
    }
    return at;
}

static char *contents(int fd, size_t *size)
{
    struct stat file;
    char *bytes;
    size_t got = 0;

    if (fstat(fd, &file) != 0 || (bytes = malloc((size_t)file.st_size + 1)) == NULL) {
        return NULL;
    }
    while (got < (size_t)file.st_size) {
        ssize_t part = pread(fd, bytes + got, (size_t)file.st_size - got, (off_t)got);

        if (part <= 0) {
            break;
        }
        got += (size_t)part;
    }
    *size = got;
    return bytes;
}

static int only_zeros(const char *bytes, size_t size)
{
    return size == 0 || (bytes[0] == '\0' && memcmp(bytes, bytes + 1, size - 1) == 0);
}

/* Keeps a copy of what is behind the whole part before that is cut off. */
static int keep_tail(const struct journal *j, uint64_t segment, const char *tail, size_t size)
{
    char path[PATH_MAX];
    ssize_t written;
    int fd;

    snprintf(path, sizeof(path), "%s/damaged-%0*" PRIu64 "-tail", j->folder, SEGMENT_NAME_DIGITS, segment);
    fprintf(stderr, "ossec-log-server: the journal ends in %zu bytes that are no whole line; they are set aside as %s\n",
            size, path);
    if ((fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640)) < 0) {
        return -1;
    }
    written = write(fd, tail, size);
    close(fd);
    return written == (ssize_t)size ? 0 : -1;
}

/* Opens the newest segment, up to its last whole record. 1, 0 where it was none and is set aside, -1 with errno. */
static int take_up(struct journal *j, uint64_t segment)
{
    char path[PATH_MAX], *bytes;
    size_t size = 0, whole;
    int fd = open(segment_path(j->folder, segment, path, sizeof(path)), O_RDWR | O_APPEND | O_CLOEXEC);

    if (fd < 0) {
        return -1;
    }
    if ((bytes = contents(fd, &size)) == NULL) {
        close(fd);
        return -1;
    }
    whole = whole_part(bytes, size, segment);
    if (whole == 0) {
        free(bytes);
        close(fd);
        return set_aside(path, j->folder);
    }
    if (whole < size && ((!only_zeros(bytes + whole, size - whole) && keep_tail(j, segment, bytes + whole, size - whole) != 0) ||
                         ftruncate(fd, (off_t)whole) != 0)) {
        free(bytes);
        close(fd);
        return -1;
    }
    free(bytes);
    j->fd = fd;
    j->segment = segment;
    j->written = j->appended = segment + whole - SEGMENT_HEAD;
    return 1;
}

/* Begins the segment that is called after the position `written`. */
static int begin_segment(struct journal *j)
{
    char path[PATH_MAX];
    int fd = open(segment_path(j->folder, j->written, path, sizeof(path)), O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0640);

    if (fd < 0) {
        return -1;
    }
    if (write(fd, SEGMENT_MAGIC, SEGMENT_HEAD) != SEGMENT_HEAD) {
        unlink(path);
        close(fd);
        errno = ENOSPC;
        return -1;
    }
    pthread_mutex_lock(&j->lock);
    if (j->fd >= 0) {
        j->unsynced[j->unsynced_count++] = j->fd;
    }
    j->fd = fd;
    j->new_names = 1;
    pthread_mutex_unlock(&j->lock);
    j->segment = j->written;
    return 0;
}

/* What is left of earlier runs: the newest segment goes on, behind what the engine is done with in any case. */
static int take_up_newest(struct journal *j)
{
    struct done done, fast;
    uint64_t *segments = NULL;
    long count = segments_list(j->folder, &segments), left = count;
    int found = 0, fd = done_open(j->folder);

    while (found == 0 && left > 0) {
        found = take_up(j, segments[--left]);
    }
    free(segments);
    if (count < 0 || found < 0 || fd < 0) {
        return -1;
    }
    if (!done_read(fd, DONE_SYNCED, &done)) {
        memset(&done, 0, sizeof(done));
        if (count == 0 && done_write(fd, DONE_SYNCED, &done) != 0) { /* a new journal */
            return -1;
        }
    }
    store(&j->state->done, done.position);
    store(&j->state->durable, done.position);
    if (done_read(fd, DONE_FAST, &fast) && fast.position > done.position) {
        done.position = fast.position;
    }
    close(fd);
    if (done.position > j->written) {
        /* A power failure cost the journal its end: what comes now must not look as if it were done already. */
        j->written = j->appended = done.position;
        found = 0;
    }
    return found ? 0 : begin_segment(j);
}

static struct journal *failed(struct journal *j, char *problem, size_t size)
{
    int why = errno;

    snprintf(problem, size, "%s: %s", j->folder, strerror(why));
    free(j->buffer);
    free(j);
    errno = why;
    return NULL;
}

struct journal *journal_open(const char *folder, char *problem, size_t size)
{
    struct journal *j = calloc(1, sizeof(*j));

    if (j == NULL) {
        return NULL;
    }
    j->folder = folder;
    j->fd = -1;
    j->room = 1u << 20;
    pthread_mutex_init(&j->lock, NULL);
    if ((j->state = state_make()) == NULL) {
        int why = errno;

        snprintf(problem, size, "%s: %s", STATE_PATH, strerror(why));
        free(j);
        errno = why;
        return NULL;
    }
    if (mkdir(folder, 0770) != 0 && errno != EEXIST) {
        return failed(j, problem, size);
    }
    j->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (j->folder_fd < 0 || (j->buffer = malloc(j->room)) == NULL || take_up_newest(j) != 0) {
        return failed(j, problem, size);
    }
    store(&j->state->flushed, j->written);
    journal_sync(j);
    return j;
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
    if (j->appended == j->written) {
        return 0;
    }
    if (j->written - j->segment >= SEGMENT_SIZE && j->written == load(&j->state->flushed) &&
        j->unsynced_count < UNSYNCED && begin_segment(j) != 0) {
        return -1;
    }
    while (j->written < j->appended) {
        ssize_t got = write(j->fd, j->buffer, j->appended - j->written);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
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

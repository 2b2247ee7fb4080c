/* Takes the journal up where an earlier run left it, whatever that, a power failure or a bad disk made of it. */
#define _GNU_SOURCE
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "done.h"
#include "segment.h"
#include "writer.h"

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

        snprintf(problem, size, "%s: %s; give the container a tmpfs: --tmpfs /run", STATE_PATH, strerror(why));
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

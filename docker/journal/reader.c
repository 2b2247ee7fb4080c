#include "reader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal.h"
#include "segment.h"

#define BUFFER (256u << 10)

int reader_open(struct reader *r, const char *folder, uint64_t position)
{
    *r = (struct reader){.folder = folder, .position = position, .fd = -1, .buffer = malloc(BUFFER)};
    return r->buffer == NULL ? -1 : 0;
}

static void leave_segment(struct reader *r)
{
    if (r->fd >= 0) {
        close(r->fd);
    }
    r->fd = -1;
    r->from = r->filled = 0;
}

/* Opens the segment that holds the position, or the first one behind it. 1, 0 where there is none, -1 with errno. */
static int enter_segment(struct reader *r)
{
    uint64_t *positions = NULL;
    long count = segments_list(r->folder, &positions), at = -1;
    char path[4096];

    for (long n = 0; n < count; n++) {
        /* The segment that is being left ends at this position; the next may be called so. */
        if (positions[n] <= r->position || at < 0) {
            at = n;
        }
    }
    if (at >= 0) {
        r->segment = positions[at];
        r->fd = open(segment_path(r->folder, r->segment, path, sizeof(path)), O_RDONLY | O_CLOEXEC);
    }
    free(positions);
    if (count < 0 || (at >= 0 && r->fd < 0)) {
        return -1;
    }
    if (at >= 0 && r->position < r->segment) {
        r->position = r->segment; /* what was before is done and deleted, or lost with a damaged segment */
    }
    return at >= 0;
}

static int next_segment_begins(const struct reader *r, uint64_t *position)
{
    uint64_t *positions = NULL;
    long count = segments_list(r->folder, &positions);
    int found = 0;

    for (long n = 0; n < count && !found; n++) {
        if (positions[n] > r->segment) {
            *position = positions[n];
            found = 1;
        }
    }
    free(positions);
    return found;
}

/* Reads on into the buffer: bytes got, 0 at the segment's end, -1 with errno. */
static ssize_t fill(struct reader *r)
{
    ssize_t got;
    off_t place;

    memmove(r->buffer, r->buffer + r->from, r->filled - r->from);
    r->filled -= r->from;
    r->from = 0;
    place = (off_t)(SEGMENT_HEAD + r->position - r->segment + r->filled);
    do {
        got = pread(r->fd, r->buffer + r->filled, BUFFER - r->filled, place);
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
        r->filled += (size_t)got;
    }
    return got;
}

/* Goes on behind what can't be read: at the next segment, or where the writer said that it has come. */
static void skip_damaged(struct reader *r, uint64_t limit)
{
    uint64_t next = limit;

    next_segment_begins(r, &next);
    fprintf(stderr, "ossec-log-server: the journal is damaged at %" PRIu64 " in %s/%0*" PRIu64 "; %" PRIu64
                    " bytes are left out\n", r->position, r->folder, SEGMENT_NAME_DIGITS, r->segment, next - r->position);
    r->damaged += next - r->position;
    r->position = next;
    leave_segment(r);
}

int reader_next(struct reader *r, uint64_t limit, char *datagram)
{
    struct record head;

    while (r->position < limit) {
        uint64_t next;

        if (r->fd < 0) {
            int found = enter_segment(r);

            if (found <= 0 || r->position >= limit) {
                return found < 0 ? -1 : 0;
            }
        }
        if (record_is_whole(r->buffer + r->from, r->filled - r->from, r->position)) {
            memcpy(&head, r->buffer + r->from, sizeof(head));
            memcpy(datagram, r->buffer + r->from + sizeof(head), head.length);
            datagram[head.length] = '\0';
            r->from += sizeof(head) + head.length;
            r->position += sizeof(head) + head.length;
            return (int)head.length;
        }
        if (r->filled - r->from < sizeof(head) + JOURNAL_RECORD_MAX) {
            ssize_t got = fill(r);

            if (got > 0) {
                continue;
            }
            if (got < 0) {
                return -1;
            }
            if (r->filled == 0 && next_segment_begins(r, &next) && next == r->position) {
                leave_segment(r);
                continue;
            }
        }
        skip_damaged(r, limit);
    }
    return 0;
}

/* Lines on standard output. It may be a pipe that nobody reads for a while: then the alerts wait, and so does this, until it
 * is asked to end. Up to PIPE_BUF bytes a pipe takes a write whole or not at all, and more while it is empty, so that a kill
 * leaves no half line. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "deadline.h"
#include "target.h"

#define BATCH 16
#define FOR_EVER INT32_MAX /* milliseconds */
#define LOOK_MS 5

static int fail(struct target *t, const char *why)
{
    snprintf(t->why, sizeof(t->why), "%s", why);
    return -1;
}

static int open_stdout(struct target *t)
{
    (void)t;
    return 0;
}

/* Until so many bytes fit: 0, or -1 when it is to end. */
static int wait_for_room(struct target *t, size_t length)
{
    struct stat st;
    int had = 0, ready;
    int is_pipe = length > PIPE_BUF && fstat(STDOUT_FILENO, &st) == 0 && S_ISFIFO(st.st_mode);

    for (;;) {
        ready = wait_until(STDOUT_FILENO, POLLOUT, now_ms() + FOR_EVER);
        if (ready <= 0) {
            return fail(t, ready == 0 ? "nobody reads it" : strerror(errno));
        }
        if (!is_pipe || ioctl(STDOUT_FILENO, FIONREAD, &had) != 0 || had == 0) {
            return 0;
        }
        if (end_is_over()) {
            return fail(t, "nobody reads it");
        }
        pause_ms(LOOK_MS);
    }
}

static int write_whole(struct target *t, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t written;

        if (wait_for_room(t, length) != 0) {
            return -1;
        }
        written = write(STDOUT_FILENO, data, length);
        if (written > 0) {
            data += written;
            length -= (size_t)written;
        } else if (written < 0 && errno != EINTR && errno != EAGAIN) {
            return fail(t, strerror(errno));
        }
        if (length > 0 && end_is_over()) {
            return fail(t, "nobody reads it");
        }
    }
    return 0;
}

static int flush(struct target *t)
{
    size_t length = t->length;

    t->length = 0;
    return write_whole(t, t->buffer, length);
}

static int put(struct target *t, const char *head, size_t head_length, const char *alert, size_t length)
{
    if (t->length + head_length + length + 1 > PIPE_BUF && flush(t) != 0) {
        return -1;
    }
    if (head_length + length + 1 > PIPE_BUF) {
        static char line[(1 << 18) + 1024];
        size_t whole = head_length + length + 1;

        if (whole > sizeof(line)) {
            return fail(t, "an alert is too long");
        }
        memcpy(line, head, head_length);
        memcpy(line + head_length, alert, length);
        line[whole - 1] = '\n';
        return write_whole(t, line, whole);
    }
    memcpy(t->buffer + t->length, head, head_length);
    memcpy(t->buffer + t->length + head_length, alert, length);
    t->length += head_length + length + 1;
    t->buffer[t->length - 1] = '\n';
    return 0;
}

static void end(struct target *t)
{
    (void)t;
}

const struct transport transport_stdout = {"stdout", BATCH, 0, open_stdout, put, flush, end, NULL, NULL, NULL};

/* Stock hands each line of each file to the kernel by itself. Here it is done once for a batch, and then only the batch
 * counts as done (engine.c). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "shared.h"
#include "eventinfo.h"
#include "alerts/getloglocation.h"
#include "flush.h"
#include "logs.h"

#define BUFFER (1 << 20) /* bytes: more than a batch writes, so that the kernel gets whole lines */

static const struct {
    const char *path, *end; /* what every entry ends with */
    FILE **file;
} logs[DONE_FILES] = {
    {"/var/ossec/logs/alerts/alerts.log", "\n\n", &_aflog},
    {"/var/ossec/logs/alerts/alerts.json", "\n", &_jflog},
    {"/var/ossec/logs/archives/archives.log", "\n", &_eflog},
};
static int dirty[DONE_FILES], fresh = 1;
static char buffers[DONE_FILES][BUFFER]; /* of its own glibc takes 4096 bytes, whatever size it is told */

/* Where the first zero byte is between two places of a file, or `until`. No line has one; a power failure leaves them
 * where the file's size reached the disk before its contents. */
static off_t first_zero(int fd, off_t from, off_t until)
{
    char chunk[65536], *zero;

    while (from < until) {
        ssize_t got = pread(fd, chunk, until - from < (off_t)sizeof(chunk) ? (size_t)(until - from) : sizeof(chunk), from);

        if (got <= 0) {
            break;
        }
        if ((zero = memchr(chunk, '\0', (size_t)got)) != NULL) {
            return from + (zero - chunk);
        }
        from += got;
    }
    return until;
}

/* The end of the last whole entry between two places. */
static off_t last_end(int fd, off_t from, off_t until, const char *end)
{
    char chunk[65536], *found;
    size_t length = strlen(end);

    while (until - from >= (off_t)length) {
        off_t at = until - from < (off_t)sizeof(chunk) ? from : until - (off_t)sizeof(chunk);
        ssize_t got = pread(fd, chunk, (size_t)(until - at), at);

        if (got < (ssize_t)length) {
            break;
        }
        for (found = chunk + got - length; found >= chunk; found--) {
            if (memcmp(found, end, length) == 0) {
                return at + (found - chunk) + (off_t)length;
            }
        }
        until = at + (off_t)length - 1;
    }
    return from;
}

/* Of one file. Whether it holds all that was written to it by then. */
static int mend(int n, const struct done *synced, const struct done *fast)
{
    int fd = open(logs[n].path, O_RDWR | O_CLOEXEC), whole = 1;
    struct stat file;
    off_t known = 0, until;

    if (fd < 0) {
        return fast == NULL || fast->file[n].inode == 0;
    }
    if (fstat(fd, &file) != 0) {
        close(fd);
        return 0;
    }
    if (synced != NULL && synced->file[n].inode == file.st_ino && (off_t)synced->file[n].size <= file.st_size) {
        known = (off_t)synced->file[n].size;
    }
    until = first_zero(fd, known, file.st_size);
    if (fast != NULL && fast->file[n].inode != 0) {
        whole = fast->file[n].inode == file.st_ino && (off_t)fast->file[n].size <= until;
    }
    until = last_end(fd, known, until, logs[n].end);
    if (until < file.st_size) {
        tell("the last %ld bytes of %s were no whole entry and are cut off",
               (long)(file.st_size - until), logs[n].path);
        if (ftruncate(fd, until) != 0) {
            whole = 0;
        }
    }
    close(fd);
    return whole;
}

int logs_mend(const struct done *synced, const struct done *fast)
{
    int whole = fast != NULL;

    for (int n = 0; n < DONE_FILES; n++) {
        whole &= mend(n, synced, fast);
    }
    return whole;
}

static int deferred(FILE *file)
{
    for (int n = 0; n < DONE_FILES; n++) {
        if (file == *logs[n].file) {
            dirty[n] = 1;
            return 1;
        }
    }
    return file == _fflog;
}

static void give_buffers(void)
{
    for (int n = 0; n < DONE_FILES; n++) {
        if (*logs[n].file != NULL) {
            setvbuf(*logs[n].file, buffers[n], _IOFBF, BUFFER);
        }
    }
    fresh = 1;
}

void logs_defer(void)
{
    give_buffers();
    shim_deferred = deferred;
}

static void flush(FILE *file, const char *path)
{
    if (file != NULL && shim_flush(file) != 0) {
        tell("%s cannot be written: %s; the lines are analysed again after the restart", path,
               strerror(errno));
        _exit(74);
    }
}

void logs_flush(struct done *done)
{
    struct stat file;

    for (int n = 0; n < DONE_FILES; n++) {
        if (dirty[n]) {
            flush(*logs[n].file, logs[n].path);
        }
        if ((dirty[n] || fresh) && *logs[n].file != NULL && fstat(fileno(*logs[n].file), &file) == 0) {
            done->file[n].inode = file.st_ino;
            done->file[n].size = (uint64_t)file.st_size;
        }
        dirty[n] = 0;
    }
    flush(_fflog, "logs/firewall/firewall.log");
    fresh = 0;
}

void logs_descriptors(int descriptors[DONE_FILES])
{
    for (int n = 0; n < DONE_FILES; n++) {
        descriptors[n] = *logs[n].file != NULL ? dup(fileno(*logs[n].file)) : -1;
    }
}

int __real_OS_GetLogLocation(const Eventinfo *lf);

/* A new day's files take the place of the open ones, which reach the disk first: nobody syncs them later. */
int __wrap_OS_GetLogLocation(const Eventinfo *lf)
{
    int result;

    for (int n = 0; n < DONE_FILES && shim_deferred != NULL; n++) {
        flush(*logs[n].file, logs[n].path);
        if (*logs[n].file != NULL) {
            fdatasync(fileno(*logs[n].file));
        }
        dirty[n] = 0;
    }
    result = __real_OS_GetLogLocation(lf);
    if (shim_deferred != NULL) {
        give_buffers();
    }
    return result;
}

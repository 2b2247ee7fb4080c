#include "done.h"

#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAGIC "OLSDONE1"
#define APART 4096 /* bytes from slot to slot: no two of them share a block of the disk */
#define FAST_PLACE 2

static uint64_t checksum(const struct done *done)
{
    return libdeflate_crc32(0, done, offsetof(struct done, checksum));
}

int done_open(const char *folder)
{
    char path[4096];
    int fd, folder_fd;

    snprintf(path, sizeof(path), "%s/done", folder);
    if ((fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640)) < 0) {
        return -1;
    }
    if ((folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0) {
        fsync(folder_fd);
        close(folder_fd);
    }
    return fd;
}

int done_write(int fd, enum done_slot slot, struct done *done)
{
    off_t place = slot == DONE_FAST ? FAST_PLACE : (off_t)(++done->sequence % FAST_PLACE);
    ssize_t written;

    memcpy(done->magic, MAGIC, sizeof(done->magic));
    done->checksum = checksum(done);
    written = pwrite(fd, done, sizeof(*done), place * APART);
    if (written != sizeof(*done)) {
        errno = written < 0 ? errno : ENOSPC;
        return -1;
    }
    return slot == DONE_FAST ? 0 : fdatasync(fd);
}

static int read_slot(int fd, off_t place, struct done *done)
{
    return pread(fd, done, sizeof(*done), place * APART) == sizeof(*done) &&
           memcmp(done->magic, MAGIC, sizeof(done->magic)) == 0 && done->checksum == checksum(done);
}

int done_read(int fd, enum done_slot slot, struct done *done)
{
    struct done other;
    int found;

    if (slot == DONE_FAST) {
        return read_slot(fd, FAST_PLACE, done);
    }
    found = read_slot(fd, 0, done);
    if (read_slot(fd, 1, &other) && (!found || other.sequence > done->sequence)) {
        *done = other;
        found = 1;
    }
    return found;
}

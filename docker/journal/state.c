#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct state *map(int fd)
{
    void *at = mmap(NULL, sizeof(struct state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int problem = errno;

    close(fd);
    errno = problem;
    return at == MAP_FAILED ? NULL : at;
}

/* In a file of its own that takes the place of the old one, so that nobody sees half of it. */
struct state *state_make(void)
{
    int fd = open(STATE_PATH ".new", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    struct state *s;

    if (fd < 0) {
        return NULL;
    }
    if (ftruncate(fd, sizeof(*s)) != 0) {
        close(fd);
        return NULL;
    }
    if ((s = map(fd)) == NULL) {
        return NULL;
    }
    memcpy(s->magic, STATE_MAGIC, sizeof(s->magic));
    if (rename(STATE_PATH ".new", STATE_PATH) != 0) {
        munmap(s, sizeof(*s));
        return NULL;
    }
    return s;
}

struct state *state_map(void)
{
    struct stat file;
    struct state *s;
    int fd = open(STATE_PATH, O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        return NULL;
    }
    if (fstat(fd, &file) != 0 || file.st_size != sizeof(*s)) {
        close(fd);
        errno = EBADMSG;
        return NULL;
    }
    if ((s = map(fd)) != NULL && memcmp(s->magic, STATE_MAGIC, sizeof(s->magic)) != 0) {
        munmap(s, sizeof(*s));
        errno = EBADMSG;
        return NULL;
    }
    return s;
}

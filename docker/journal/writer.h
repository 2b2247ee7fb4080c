/* What the two halves of the journal's writer share: open.c takes it up, journal.c goes on. */
#ifndef WRITER_H
#define WRITER_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "state.h"

#define UNSYNCED 64 /* segments that were left and are not synced yet */

struct journal {
    const char *folder;
    struct state *state;
    int fd, folder_fd;
    uint64_t segment;         /* first position of the one that is written to */
    uint64_t written;         /* position behind what is in files, which may be in the middle of a record */
    uint64_t appended;
    uint64_t reserved;        /* position up to which room is set aside in the segment's file; 0: none is */
    int no_reserve;           /* the file system sets none aside */
    int failed;               /* the last flush */
    char *buffer;             /* what is appended and not written: from `written` to `appended` */
    size_t room;
    /* For journal_sync, which may run in a thread of its own; the descriptor above changes under this lock, too. */
    pthread_mutex_t lock;
    int unsynced[UNSYNCED], unsynced_count, new_names;
};

static inline uint64_t load(const uint64_t *of) { return __atomic_load_n(of, __ATOMIC_ACQUIRE); }
static inline void store(uint64_t *to, uint64_t value) { __atomic_store_n(to, value, __ATOMIC_RELEASE); }

/* Begins the segment that is called after the position `written`. 0, or -1 with errno: then the old one goes on. */
int begin_segment(struct journal *j);

#endif

#include "sync.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "flush.h"
#include "logs.h"

#define SYNC_MS 1000

static int done_file;
static struct state *page;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wanted = PTHREAD_COND_INITIALIZER;
/* Of the thread while `syncing` is set, and nobody else touches them. */
static struct done to_sync;
static int files[DONE_FILES], syncing;
static long began;

static void sync_now(void)
{
    int failed = 0;

    for (int n = 0; n < DONE_FILES; n++) {
        if (files[n] >= 0) {
            failed |= fdatasync(files[n]);
            close(files[n]);
        }
    }
    if (failed || done_write(done_file, DONE_SYNCED, &to_sync) != 0) {
        tell("the logs cannot be synced: %s; it is tried again", strerror(errno));
        return;
    }
    __atomic_store_n(&page->durable, to_sync.position, __ATOMIC_RELEASE);
}

static void *sync_when_wanted(void *unused)
{
    pthread_mutex_lock(&lock);
    for (;;) {
        while (!syncing) {
            pthread_cond_wait(&wanted, &lock);
        }
        pthread_mutex_unlock(&lock);
        sync_now();
        pthread_mutex_lock(&lock);
        syncing = 0;
    }
    return unused;
}

int sync_read(int done_fd, struct done *last)
{
    int found;

    done_file = done_fd;
    found = done_read(done_fd, DONE_SYNCED, &to_sync);
    *last = to_sync;
    return found;
}

int sync_start(struct state *state)
{
    pthread_t thread;
    sigset_t all, before;

    page = state;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    errno = pthread_create(&thread, NULL, sync_when_wanted, NULL);
    if (errno != 0) {
        return -1;
    }
    pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return 0;
}

/* All but the number of its writing, which done_write counts on. */
static void take(const struct done *done)
{
    uint64_t sequence = to_sync.sequence;

    to_sync = *done;
    to_sync.sequence = sequence;
    logs_descriptors(files);
}

void sync_now_and_then(const struct done *done, long now)
{
    if (began == 0) {
        began = now;
    }
    if (now - began < SYNC_MS || done->position == __atomic_load_n(&page->durable, __ATOMIC_ACQUIRE)) {
        return;
    }
    pthread_mutex_lock(&lock);
    if (!syncing) {
        take(done);
        syncing = 1;
        began = now;
        pthread_cond_signal(&wanted);
    }
    pthread_mutex_unlock(&lock);
}

void sync_last(const struct done *done)
{
    while (__atomic_load_n(&syncing, __ATOMIC_ACQUIRE)) {
        usleep(1000);
    }
    take(done);
    sync_now();
}

#define _GNU_SOURCE
#include "commit.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "loop.h"
#include "say.h"

#define RETRY_MS 200

static pthread_t thread;
static int requests = -1;         /* the loop's to the thread */
static struct watch results = {.fd = -1};
static int failure;               /* errno of the last sync, 0 when it went well */
static volatile int ending;
static int begun, under_way;
static void (*call)(void);

static uint64_t take(int fd)
{
    uint64_t number = 0;

    return read(fd, &number, sizeof(number)) == sizeof(number) ? number : 0;
}

static void give(int fd)
{
    uint64_t one = 1;

    if (write(fd, &one, sizeof(one)) < 0) {
        return; /* it is full: the other side has not looked yet */
    }
}

static void *run(void *unused)
{
    (void)unused;
    while (take(requests) > 0 && !ending) {
        int result = journal_sync(journal);

        __atomic_store_n(&failure, result == 0 ? 0 : errno, __ATOMIC_RELAXED);
        if (result != 0) {
            poll(NULL, 0, RETRY_MS); /* it will be asked for again at once */
        }
        give(results.fd);
    }
    return NULL;
}

static void synced(struct watch *watch, uint32_t events)
{
    int why = __atomic_load_n(&failure, __ATOMIC_RELAXED);

    (void)events;
    take(watch->fd);
    under_way = 0;
    if (why != 0) {
        notice(NOTICE_DISK, 1, strerror(why));
    }
    call();
}

int commit_begin(void (*then)(void))
{
    sigset_t every, before;
    int result;

    call = then;
    requests = eventfd(0, EFD_CLOEXEC);
    results = (struct watch){synced, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), 0};
    if (requests < 0 || results.fd < 0 || loop_add_control(&results) != 0) {
        return -1;
    }
    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &before);
    result = pthread_create(&thread, NULL, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    begun = result == 0;
    errno = result;
    return result == 0 ? 0 : -1;
}

void commit_request(void)
{
    if (!under_way) {
        under_way = 1;
        give(requests);
    }
}

void commit_end(void)
{
    if (begun) {
        ending = 1;
        give(requests);
        pthread_join(thread, NULL);
    }
    if (journal_sync(journal) != 0) {
        say("the journal could not be synced to disk at the end: %s", strerror(errno));
    }
}

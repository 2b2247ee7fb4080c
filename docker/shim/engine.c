/* The engine reads the journal itself: what it has not finished is still there when it is killed. It works line by line in
 * one thread, so when it asks for the next line, the ones before are analysed, and what they caused is written. Up to
 * BATCH lines, or BATCH_MS, their writing is put off (logs.c); then they are done, and that is noted on the volume. After
 * an unclean end it goes on behind the last that was noted, so that at most one batch is analysed twice.
 *
 * The engine's socket stays for ossec-monitord, which says when it starts. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "shared.h"
#include "counts.h"
#include "done.h"
#include "engine.h"
#include "flush.h"
#include "journal.h"
#include "logs.h"
#include "order.h"
#include "reader.h"
#include "received.h"
#include "state.h"
#include "sync.h"

#define JOURNAL "/var/ossec/data/queue/journal"
#define BATCH 64          /* lines */
#define BATCH_MS 20
#define IDLE_MS 1000      /* between two looks at the socket while nothing comes */
#define FREE (2u << 20)   /* bytes of the volume: more than a batch writes */
#define FULL_MS 100       /* between two looks at a full volume, or at one with much room */
#define MUCH (256u << 20) /* bytes of the volume: more than anybody writes in that time */
#define INTAKE_MS 60000   /* for the journal to be made */

static struct reader journal;
static struct state *state;
static struct done done;
static int done_fd;
static unsigned in_batch;
static long batch_began, volume_seen; /* when it was last looked at, -1 while it is full */
static int much_room;
static volatile sig_atomic_t asked_to_end;
static struct {
    uint64_t alerts, damaged;
} before; /* what an engine before this one has counted, since the server started */

static long milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* SIGTERM: when nothing waits in the journal any more. SIGINT: now. */
static void on_end(int sig)
{
    if (asked_to_end < 2) {
        asked_to_end = sig == SIGINT ? 2 : 1;
    }
}

static void fatal(const char *what)
{
    tell("%s: %s", what, strerror(errno));
    _exit(74);
}

static void wake_outputs(void)
{
    static unsigned long told;

    if (told == shim_alerts) {
        return;
    }
    told = shim_alerts;
    __atomic_fetch_add(&state->alerts_written, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&state->outputs_asleep, __ATOMIC_SEQ_CST) > 0) {
        syscall(SYS_futex, &state->alerts_written, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
    }
}

/* The lines so far are done. */
static void commit(void)
{
    logs_flush(&done);
    done.position = journal.position;
    if (done_write(done_fd, DONE_FAST, &done) != 0) {
        tell("%s/done cannot be written: %s; after a restart lines may be analysed again", JOURNAL,
               strerror(errno));
    }
    __atomic_store_n(&state->analysed, state->analysed + in_batch, __ATOMIC_RELAXED);
    __atomic_store_n(&state->alerts, before.alerts + shim_alerts, __ATOMIC_RELAXED);
    __atomic_store_n(&state->damaged, before.damaged + journal.damaged, __ATOMIC_RELAXED);
    __atomic_store_n(&state->done, done.position, __ATOMIC_RELEASE);
    wake_outputs();
    in_batch = 0;
}

static void end(void)
{
    sync_last(&done);
    __atomic_store_n(&state->engine_ready, 0, __ATOMIC_RELEASE);
    exit(0);
}

/* Where it goes on: behind what is noted in any case, or, where the files hold all of that, behind the last batch. */
static uint64_t first_position(void)
{
    struct done fast, synced;
    int have_synced = sync_read(done_fd, &synced);
    int have_fast = done_read(done_fd, DONE_FAST, &fast) && (!have_synced || fast.position >= synced.position);
    int whole = logs_mend(have_synced ? &synced : NULL, have_fast ? &fast : NULL);

    if (have_fast && whole) {
        return fast.position;
    }
    if (have_fast) {
        tell("the logs lack what was written last, as after a power failure; lines of the last seconds are "
               "analysed again");
    } else if (!have_synced && __atomic_load_n(&state->flushed, __ATOMIC_ACQUIRE) > 0) {
        tell("%s/done does not tell what is analysed; all that is in the journal is", JOURNAL);
    }
    return have_synced ? synced.position : 0;
}

static void begin(void)
{
    struct sigaction act = {.sa_handler = on_end};

    for (long waited = 0; (state = state_map()) == NULL; waited += 20) {
        if (waited >= INTAKE_MS) {
            fatal(STATE_PATH);
        }
        usleep(20000);
    }
    order_fit();
    before.alerts = state->alerts;
    before.damaged = state->damaged;
    sigaction(SIGTERM, &act, NULL); /* without SA_RESTART: it ends a wait */
    sigaction(SIGINT, &act, NULL);
    if ((done_fd = done_open(JOURNAL)) < 0 || reader_open(&journal, JOURNAL, first_position()) != 0) {
        fatal(JOURNAL);
    }
    done.position = journal.position;
    logs_defer();
    logs_flush(&done);
    if (sync_start(state) != 0) {
        fatal("no thread to sync the logs");
    }
    commit();
    __atomic_store_n(&state->engine_ready, 1, __ATOMIC_RELEASE);
}

/* Without room for what it writes, the engine would lose it. */
static void wait_for_room(long now)
{
    struct statvfs volume = {.f_bavail = 0};

    if (now - volume_seen < FULL_MS && much_room) {
        return;
    }
    while (statvfs(JOURNAL, &volume) == 0 && (uint64_t)volume.f_bavail * volume.f_frsize < FREE && asked_to_end < 2) {
        if (volume_seen >= 0) {
            tell("less than %u bytes of the data volume are free, so analysis waits; make room", FREE);
        }
        volume_seen = -1;
        usleep(FULL_MS * 1000);
    }
    volume_seen = now;
    much_room = (uint64_t)volume.f_bavail * volume.f_frsize >= MUCH;
}

static int from_socket(int socket, int size, char *message)
{
    ssize_t length = recv(socket, message, (size_t)size - 1, MSG_DONTWAIT);

    if (length < 4) { /* "2:a:" is the least that the engine takes */
        return 0;
    }
    message[length] = '\0';
    return (int)length;
}

static void sleep_until_more(void)
{
    struct timespec limit = {IDLE_MS / 1000, IDLE_MS % 1000 * 1000000};

    __atomic_store_n(&state->asleep, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&state->flushed, __ATOMIC_SEQ_CST) == journal.position && !asked_to_end) {
        syscall(SYS_futex, &state->asleep, FUTEX_WAIT, 1, &limit, NULL, 0);
    }
    __atomic_store_n(&state->asleep, 0, __ATOMIC_SEQ_CST);
}

static int next_message(int socket, int size, char *message)
{
    int length;

    if (state == NULL) {
        begin();
    }
    for (;;) {
        long now = milliseconds();
        uint64_t limit = __atomic_load_n(&state->flushed, __ATOMIC_ACQUIRE);

        if (in_batch > 0 && (in_batch >= BATCH || now - batch_began >= BATCH_MS || journal.position >= limit || asked_to_end == 2)) {
            commit();
        }
        if (in_batch == 0) {
            sync_now_and_then(&done, now);
            if (asked_to_end == 2 || (asked_to_end && journal.position >= limit)) {
                end();
            }
            if ((length = from_socket(socket, size, message)) > 0) {
                in_batch = 1; /* what it causes is to be written, too */
                batch_began = now;
                return length;
            }
            wait_for_room(now);
            batch_began = now;
        }
        if ((length = reader_next(&journal, limit, message)) > 0) {
            in_batch++;
            return length;
        }
        if (length < 0) {
            fatal(JOURNAL);
        }
        if (in_batch == 0) {
            sleep_until_more();
        }
    }
}

int shim_next_message(int socket, int size, char *message)
{
    int length = next_message(socket, size, message);

    clock_gettime(CLOCK_REALTIME, &shim_received);
    return length;
}

/* Before 4.2.0 the engine's own loop asks for each message. */
int __wrap_OS_RecvUnix(int socket, int size, char *message) { return shim_next_message(socket, size, message); }

/* Runs the server: opens everything, turns the loop until SIGTERM, and ends in order. SIGHUP: reads its settings again. */
#define _GNU_SOURCE
#include "run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "commit.h"
#include "connections.h"
#include "end.h"
#include "greetings.h"
#include "listen.h"
#include "loop.h"
#include "reload.h"
#include "say.h"
#include "senders.h"
#include "tls.h"
#include "udp.h"

#define KEPT_DESCRIPTORS 64    /* for the journal's files, sockets that listen and the like */
#define TICK_MS 1000           /* what is done now and then is done so often, and plain lines are synced */
#define HELD_MS 50             /* how often it is looked whether there is room again */
#define LOOK_MS 100            /* how often the volume is looked at */
#define TIDY_TICKS 10
#define DAY_TICKS 86400
#define FEW 64                 /* lines: a turn with less waits for more, so that a line does not cost a turn each */
#define GATHER_NS 10000000
#define NAPS 3

struct settings settings;
struct journal *journal;
struct state *state;

static struct watch signals = {.fd = -1};
static int ending;
static int flush_failed;

static void signalled(struct watch *watch, uint32_t events)
{
    struct signalfd_siginfo signal;

    (void)events;
    if (read(watch->fd, &signal, sizeof(signal)) != sizeof(signal)) {
        return;
    }
    if (signal.ssi_signo == SIGHUP) {
        reload();
    } else {
        ending = 1;
    }
}

int flush_lines(void)
{
    flush_failed = journal_flush(journal) != 0;
    if (flush_failed) {
        notice(NOTICE_DISK, 1, strerror(errno));
    }
    return flush_failed ? -1 : 0;
}

/* Sees to it that what RELP's senders wait for is synced and answered. */
static void commit(void)
{
    if (!relp_waits()) {
        return;
    }
    if (journal_flushed(journal) > journal_synced(journal)) {
        commit_request();
    } else {
        relp_answer_synced();
    }
}

int may_take(void) { return journal_make_room(journal) && journal_waiting(journal) <= settings.limit; }

/* Whether nothing may be taken in now. */
static int held(void)
{
    static uint64_t looked;
    static int full;
    int is = flush_failed || !may_take();

    if (loop_now() - looked >= LOOK_MS) {
        looked = loop_now();
        full = journal_volume_full(journal);
    }
    is |= full;
    if (is != (int)state->held) {
        __atomic_store_n(&state->held, (uint64_t)is, __ATOMIC_RELAXED);
    }
    return is;
}

static void tick(void)
{
    static uint64_t last, ticks;

    if (loop_now() - last < TICK_MS) {
        return;
    }
    last = loop_now();
    if (journal_flushed(journal) > journal_synced(journal)) {
        commit_request();
    }
    if (++ticks % TIDY_TICKS == 0) {
        journal_tidy(journal);
    }
    if (ticks % DAY_TICKS == 0) {
        tls_warn();
    }
    senders_tick((int)state->held);
    udp_count_lost();
    greetings_tend();
    connections_each(connection_tend);
    loop_release();
    listen_resume();
}

static uint64_t taken(void)
{
    return state->received[INPUT_UDP] + state->received[INPUT_TCP] + state->received[INPUT_TLS];
}

/* Each turn wakes the engine and what comes behind it. In between it is seen whether a burst fills UDP's buffer. */
static void gather(void)
{
    static const struct timespec nap = {0, GATHER_NS / NAPS};

    for (int naps = 0; naps < NAPS && (naps == 0 || !udp_fills()); naps++) {
        nanosleep(&nap, NULL);
    }
}

static void turn(void)
{
    uint64_t before = taken();
    int is_held = held();

    loop_turn(is_held, is_held ? HELD_MS : TICK_MS);
    flush_lines();
    commit();
    tick();
    notices_tell(loop_now());
    count(&state->beat, 1);
    if (taken() > before && taken() - before < FEW && !relp_waits()) {
        gather();
    }
}

void count_descriptors(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0) {
        return;
    }
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    getrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < settings.connections + KEPT_DESCRIPTORS) {
        size_t fit = files.rlim_cur > 2 * KEPT_DESCRIPTORS ? files.rlim_cur - KEPT_DESCRIPTORS : KEPT_DESCRIPTORS;

        say("%zu connections fit into the limit of %llu open files, and not the %zu of OSSEC_MAX_CONNECTIONS; raise it "
            "(docker run --ulimit nofile=...)", fit, (unsigned long long)files.rlim_cur, settings.connections);
        settings.per_source = settings.per_source * fit / settings.connections + 1; /* no source has all of fewer, either */
        settings.connections = fit;
    }
    if (settings.per_source > settings.connections) {
        settings.per_source = settings.connections;
    }
}

static int open_input(enum input input)
{
    char problem[512];
    int fd;

    if (settings.ports[input] == 0) {
        return 1;
    }
    fd = listen_open(input == INPUT_UDP ? SOCK_DGRAM : SOCK_STREAM, settings.ports[input], problem, sizeof(problem));
    if (fd < 0) {
        say("%s", problem);
        return 0;
    }
    if ((input == INPUT_UDP ? udp_receive(fd) : listen_accept(fd, input)) != 0) {
        say("port %u cannot be watched: %s", settings.ports[input], strerror(errno));
        return 0;
    }
    state->ports[input] = (uint16_t)settings.ports[input];
    return 1;
}

static int prepare(const sigset_t *ends)
{
    char problem[4200] = "";

    if ((journal = journal_open(settings.journal, problem, sizeof(problem))) == NULL) {
        say("the journal cannot be opened: %s", problem);
        return EX_CANTCREAT;
    }
    state = journal_state(journal);
    signals = (struct watch){signalled, signalfd(-1, ends, SFD_NONBLOCK | SFD_CLOEXEC), 0};
    if (loop_make() != 0 || signals.fd < 0 || loop_add_control(&signals) != 0 || commit_begin(relp_answer_synced) != 0) {
        say("ossec-intake cannot start: %s%s", strerror(errno), errno == EAGAIN ?
            "; allow the container more processes (docker run --pids-limit, --ulimit nproc)" : "");
        return EX_OSERR;
    }
    loop_look_at_clock();
    if (senders_open(settings.senders) != 0) {
        say("%s cannot be made: %s", SENDERS_PATH, strerror(errno));
        return EX_CANTCREAT;
    }
    for (int input = 0; input < INPUTS; input++) {
        if (!open_input(input)) {
            return EX_CANTCREAT;
        }
    }
    state->certificate_end = tls_expires();
    state->relp_tls = (uint32_t)settings.relp_tls;
    state->pid = (uint32_t)getpid(); /* last: it says that lines are taken */
    return 0;
}

int run(void)
{
    sigset_t ends;
    int status;

    /* From the first moment: one that comes while it starts is heard by the loop's first turn. */
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGHUP);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    signal(SIGPIPE, SIG_IGN);
    count_descriptors();
    if ((status = prepare(&ends)) != 0) {
        return status;
    }
    while (!ending) {
        turn();
    }
    end_in_order();
    return 0;
}

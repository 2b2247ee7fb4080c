#define _GNU_SOURCE
#include "senders.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "intake.h"
#include "say.h"

#ifndef SENDERS_MS
#define SENDERS_MS 10000
#endif
#define SAVE_TICKS 6           /* a minute */
#define FORGET_S (90 * 86400)  /* who has not been heard for so long makes room */

static struct senders *senders;
static const char *file_path;
static uint64_t ticked, ticks;
static int told_full, told_file;

static struct sender *slot_of(const struct in6_addr *address, uint32_t scope)
{
    uint32_t at = source_hash(address, scope) % SENDER_SLOTS;

    while (senders->slots[at].lines > 0 && (memcmp(&senders->slots[at].address, address, sizeof(*address)) != 0 ||
                                             senders->slots[at].scope != scope)) {
        at = (at + 1) % SENDER_SLOTS;
    }
    return &senders->slots[at];
}

static void take_back(const struct sender *one)
{
    struct sender *slot = slot_of(&one->address, one->scope);

    if (one->lines > 0 && slot->lines == 0 && senders->count < MOST_SENDERS) {
        *slot = *one;
        senders->count++;
    }
}

int senders_open(const char *path)
{
    const char *why;
    int fd = open(SENDERS_PATH ".new", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    void *at = MAP_FAILED;

    if (fd < 0) {
        return -1;
    }
    if (ftruncate(fd, sizeof(*senders)) == 0) {
        at = mmap(NULL, sizeof(*senders), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    close(fd);
    if (at == MAP_FAILED) {
        return -1;
    }
    senders = at;
    file_path = path;
    if (path != NULL && senders_read(path, take_back, &why) != 0) {
        say("%s cannot be used (%s), so the list of senders begins anew", path, why);
    }
    memcpy(senders->magic, SENDERS_MAGIC, sizeof(senders->magic));
    ticked = loop_now();
    return rename(SENDERS_PATH ".new", SENDERS_PATH);
}

static int is_own(const struct in6_addr *address)
{
    return IN6_IS_ADDR_LOOPBACK(address) || (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == 127);
}

void senders_heard(const struct source *source)
{
    struct sender *one;
    struct timespec now;

    if (senders == NULL || is_own(&source->address)) {
        return;
    }
    one = slot_of(&source->address, source->scope);
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (one->lines == 0) {
        if (senders->count >= MOST_SENDERS) {
            senders->untracked++;
            if (!told_full) {
                say("more than %d senders: the others are not in the list of senders", MOST_SENDERS);
                told_full = 1;
            }
            return;
        }
        memset(one, 0, sizeof(*one));
        one->address = source->address;
        one->scope = source->scope;
        one->first = (uint64_t)now.tv_sec;
        senders->count++;
    } else if (one->silence == SILENT) {
        one->silence = BACK;
    }
    one->last = (uint64_t)now.tv_sec;
    one->lines++;
}

static void keep(void)
{
    if (file_path == NULL) {
        return;
    }
    if (senders_save(file_path, senders) == 0) {
        told_file = 0;
    } else if (!told_file) {
        say("%s cannot be written (%s), so a restart forgets what the list of senders has learnt since", file_path, strerror(errno));
        told_file = 1;
    }
}

/* Through the engine like any line, so that its rules make alerts of them. */
static void tell(const struct sender *one, int is_back)
{
    char text[INET6_ADDRSTRLEN], line[256], date[32];
    time_t since = (time_t)(is_back ? one->quiet_since : one->last);
    struct tm utc;

    sender_text(one, text, sizeof(text));
    gmtime_r(&since, &utc);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &utc);
    snprintf(line, sizeof(line), is_back ? "sender %s is back: the last line before came at %s" :
                                           "sender %s is silent: its last line came at %s", text, date);
    take_own_line(line);
}

/* `passed`: since the last look, in milliseconds, as far as lines could come. */
static void look_at(struct sender *one, int held, uint64_t passed)
{
    one->unheard = one->lines == one->counted ? one->unheard + passed : 0;
    one->rate += ((double)(one->lines - one->counted) * 60000 / SENDERS_MS - one->rate) / 60;
    one->rate = one->rate < 0.005 ? 0 : one->rate;
    one->counted = one->lines;
    if (settings.silent == 0 || held) {
        return;
    }
    if (one->silence == BACK) {
        tell(one, 1);
        one->silence = TALKS;
    } else if (one->silence == TALKS && one->unheard >= settings.silent * 1000) {
        one->quiet_since = one->last;
        one->silence = SILENT;
        tell(one, 0);
    }
}

/* All anew without those of long ago: a slot can't just be emptied, as others may lie behind it. */
static void forget_old(void)
{
    static struct sender all[MOST_SENDERS];
    uint64_t now = (uint64_t)time(NULL);
    size_t count = 0, untracked = senders->untracked;

    for (size_t n = 0; n < SENDER_SLOTS && count < MOST_SENDERS; n++) {
        if (senders->slots[n].lines > 0 && senders->slots[n].last + FORGET_S > now) {
            all[count++] = senders->slots[n];
        }
    }
    if (count == senders->count) {
        return;
    }
    memset(senders->slots, 0, sizeof(senders->slots));
    senders->count = 0;
    for (size_t n = 0; n < count; n++) {
        struct sender *slot = slot_of(&all[n].address, all[n].scope);

        *slot = all[n];
        senders->count++;
    }
    senders->untracked = untracked;
}

void senders_tick(int held)
{
    uint64_t passed = loop_now() - ticked;

    if (senders == NULL || passed < SENDERS_MS) {
        return;
    }
    ticked += passed;
    passed = held ? 0 : passed > 2 * SENDERS_MS ? 2 * SENDERS_MS : passed; /* more is a pause of this process */
    for (size_t n = 0; n < SENDER_SLOTS; n++) {
        if (senders->slots[n].lines > 0) {
            look_at(&senders->slots[n], held, passed);
        }
    }
    if (++ticks % SAVE_TICKS == 0) {
        forget_old();
        keep();
    }
}

void senders_close(void)
{
    if (senders != NULL) {
        keep();
    }
}

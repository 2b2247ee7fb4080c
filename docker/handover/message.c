#include "message.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "networks.h"

#define ENGINE_LIMIT 6143    /* bytes: OS_MAXSTR - 1, what the engine reads of one datagram */
#define COMPLAIN_S 60

static uint64_t told_cut, told_refused; /* the counters as they were last told of */
static char refused_sender[64];

void complain(struct journal *j)
{
    static time_t last = -COMPLAIN_S;
    static int begun;
    struct timespec now;

    if (!begun) {
        begun = 1;
        told_cut = j->cut;
        told_refused = j->refused;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    if ((j->cut == told_cut && j->refused == told_refused) || now.tv_sec - last < COMPLAIN_S) {
        return;
    }
    if (j->cut > told_cut) {
        fprintf(stderr, "ossec-handover: %" PRIu64 " messages were longer than the %d bytes that the engine reads, and cut\n",
                j->cut - told_cut, ENGINE_LIMIT);
    }
    if (j->refused > told_refused) {
        fprintf(stderr, "ossec-handover: %" PRIu64 " messages refused, the last from %s, which is not in OSSEC_ALLOWED_IPS\n",
                j->refused - told_refused, refused_sender);
    }
    told_cut = j->cut;
    told_refused = j->refused;
    last = now.tv_sec;
}

uint32_t compose(struct journal *j, const char *line, size_t length, char *datagram)
{
    const char *message = memchr(line, ' ', length);
    size_t address = message ? (size_t)(message - line) : 0;
    size_t room = ENGINE_LIMIT - address - 3;

    if (message == NULL || address >= sizeof(refused_sender)) {
        return 0;
    }
    if (!networks_hold(line, address)) {
        j->refused++;
        memcpy(refused_sender, line, address);
        refused_sender[address] = '\0';
        return 0;
    }
    length -= address + 1;
    if (length > room) {
        length = room;
        j->cut++;
    }
    datagram[0] = '2';
    datagram[1] = ':';
    for (size_t i = 0; i < address; i++) {
        datagram[2 + i] = line[i] == ':' ? '-' : line[i];
    }
    datagram[2 + address] = ':';
    memcpy(datagram + 3 + address, message + 1, length);
    return (uint32_t)(3 + address + length);
}

#include "say.h"

#include <ctype.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define APART_MS 60000
#define DETAIL 160

/* Each takes the number and the detail of the last. */
static const char *const texts[NOTICES] = {
    [NOTICE_REFUSED] = "%" PRIu64 " connections or datagrams refused, the last from %s, which is not in OSSEC_ALLOWED_IPS",
    [NOTICE_SOURCE] = "%" PRIu64 " connections closed, the last from %s, which has as many open as "
                      "OSSEC_MAX_CONNECTIONS_PER_SOURCE allows",
    [NOTICE_CONNECTIONS] = "%" PRIu64 " connections closed, the last from %s, as OSSEC_MAX_CONNECTIONS are open",
    [NOTICE_DESCRIPTORS] = "%" PRIu64 " times no connection could be accepted: %s; raise the limit of open files "
                           "(docker run --ulimit nofile=...)",
    [NOTICE_CUT] = "%" PRIu64 " messages were longer than the 6143 bytes that the engine reads, and cut; the last from %s",
    [NOTICE_LOST] = "%" PRIu64 " UDP datagrams were dropped by the kernel, as they came faster than they could be taken%s",
    [NOTICE_TLS] = "%" PRIu64 " TLS connections failed, the last from %s",
    [NOTICE_RELP] = "%" PRIu64 " RELP connections broke the protocol and were closed, the last from %s",
    [NOTICE_PROXY] = "%" PRIu64 " connections of OSSEC_TRUSTED_PROXIES closed, the last from %s; have it send the PROXY "
                     "protocol to this port (HAProxy: send-proxy-v2), or take its address out of OSSEC_TRUSTED_PROXIES",
    [NOTICE_DISK] = "%" PRIu64 " times the journal could not be written: %s; nothing is taken in until it can",
};

static struct {
    uint64_t times, told;
    int told_once;
    char detail[DETAIL];
} noticed[NOTICES];

static void print(const char *format, va_list values)
{
    char line[1024] = "ossec-log-server: ";
    size_t begun = strlen(line);
    struct pollfd standard_error = {STDERR_FILENO, POLLOUT, 0};
    int length = vsnprintf(line + begun, sizeof(line) - begun - 1, format, values);

    if (length < 0) {
        return;
    }
    length = (int)strlen(line);
    for (int n = 0; n < length; n++) {
        line[n] = iscntrl((unsigned char)line[n]) ? ' ' : line[n];
    }
    line[length++] = '\n';
    if (poll(&standard_error, 1, 0) == 1 && write(STDERR_FILENO, line, (size_t)length) < 0) {
        return; /* there is nobody to tell it to */
    }
}

void say(const char *format, ...)
{
    va_list values;

    va_start(values, format);
    print(format, values);
    va_end(values);
}

void notice(enum notice kind, uint64_t times, const char *detail)
{
    noticed[kind].times += times;
    snprintf(noticed[kind].detail, DETAIL, "%s", detail);
}

void notices_tell(uint64_t now)
{
    for (int kind = 0; kind < NOTICES; kind++) {
        if (noticed[kind].times == 0 || (noticed[kind].told_once && now - noticed[kind].told < APART_MS)) {
            continue;
        }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        say(texts[kind], noticed[kind].times, noticed[kind].detail);
#pragma GCC diagnostic pop
        noticed[kind].times = 0;
        noticed[kind].told = now;
        noticed[kind].told_once = 1;
    }
}

/* The list of senders, of the running server. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "say.h"
#include "senders.h"

#define MOST_LABELS 200 /* in Prometheus' text: each is a time series there */

static struct sender all[MOST_SENDERS];
static size_t count;
static uint64_t untracked;

/* 0, or -1 with errno. */
static int read_all(void)
{
    struct stat st;
    const struct senders *from;
    int fd = open(SENDERS_PATH, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return -1;
    }
    from = fstat(fd, &st) == 0 && st.st_size == sizeof(*from) ? mmap(NULL, sizeof(*from), PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    close(fd);
    if (from == MAP_FAILED || memcmp(from->magic, SENDERS_MAGIC, sizeof(from->magic)) != 0) {
        errno = EBADMSG;
        return -1;
    }
    for (size_t n = 0; n < SENDER_SLOTS && count < MOST_SENDERS; n++) {
        if (from->slots[n].lines > 0) {
            all[count++] = from->slots[n];
        }
    }
    untracked = from->untracked;
    return 0;
}

void sender_text(const struct sender *one, char *text, size_t size)
{
    if (IN6_IS_ADDR_V4MAPPED(&one->address)) {
        inet_ntop(AF_INET, one->address.s6_addr + 12, text, (socklen_t)size);
    } else {
        inet_ntop(AF_INET6, &one->address, text, (socklen_t)size);
    }
}

static int by_last(const void *one, const void *other)
{
    uint64_t a = ((const struct sender *)one)->last, b = ((const struct sender *)other)->last;

    return a < b ? -1 : a > b;
}

static int by_lines(const void *one, const void *other)
{
    uint64_t a = ((const struct sender *)one)->lines, b = ((const struct sender *)other)->lines;

    return a > b ? -1 : a < b;
}

static const char *date(uint64_t when)
{
    static char text[2][32];
    static int turn;
    time_t at = (time_t)when;
    struct tm utc;

    turn = !turn;
    gmtime_r(&at, &utc);
    strftime(text[turn], sizeof(text[turn]), "%Y-%m-%dT%H:%M:%SZ", &utc);
    return text[turn];
}

static const char *address(const struct sender *one)
{
    static char text[INET6_ADDRSTRLEN];

    sender_text(one, text, sizeof(text));
    return text;
}

static int is_silent(const struct sender *one) { return one->silence == SILENT; }

static void print_table(void)
{
    printf("%-39s  %-20s  %-20s  %12s  %10s  %s\n", "SENDER", "FIRST LINE", "LAST LINE", "LINES", "PER MINUTE", "");
    for (size_t n = 0; n < count; n++) {
        printf("%-39s  %s  %s  %12" PRIu64 "  %10.2f  %s\n", address(&all[n]), date(all[n].first), date(all[n].last), all[n].lines,
               all[n].rate, is_silent(&all[n]) ? "silent" : "");
    }
    if (untracked > 0) {
        printf("%" PRIu64 " lines of further senders\n", untracked);
    }
}

static void print_json(void)
{
    printf("[");
    for (size_t n = 0; n < count; n++) {
        printf("%s{\"sender\": \"%s\", \"first\": \"%s\", \"last\": \"%s\", \"lines\": %" PRIu64 ", \"per_minute\": %.2f, \"silent\": %s}",
               n == 0 ? "" : ",\n ", address(&all[n]), date(all[n].first), date(all[n].last), all[n].lines, all[n].rate,
               is_silent(&all[n]) ? "true" : "false");
    }
    printf("]\n");
}

static void print_metric(const char *name, const char *type, const char *help, int lines)
{
    printf("# HELP ossec_log_server_%s %s\n# TYPE ossec_log_server_%s %s\n", name, help, name, type);
    for (size_t n = 0; n < count && n < MOST_LABELS; n++) {
        printf("ossec_log_server_%s{sender=\"%s\"} %" PRIu64 "\n", name, address(&all[n]), lines ? all[n].lines : all[n].last);
    }
}

static void print_prometheus(void)
{
    qsort(all, count, sizeof(all[0]), by_lines);
    print_metric("sender_lines_total", "counter", "Lines of a sender since it was first seen; of the 200 that sent most.", 1);
    print_metric("sender_last_seconds", "gauge", "When a sender's last line came, in seconds since 1970.", 0);
}

int senders_counts(size_t *all_of_them, size_t *silent)
{
    count = *silent = 0;
    if (read_all() != 0) {
        return -1;
    }
    for (size_t n = 0; n < count; n++) {
        *silent += (size_t)is_silent(&all[n]);
    }
    *all_of_them = count;
    return 0;
}

int senders_print(const char *form)
{
    if (read_all() != 0) {
        say("the list of senders cannot be read: %s", errno == ENOENT ? "ossec-intake is not running" : strerror(errno));
        return EX_UNAVAILABLE;
    }
    qsort(all, count, sizeof(all[0]), by_last);
    if (strcmp(form, "json") == 0) {
        print_json();
    } else if (strcmp(form, "prometheus") == 0) {
        print_prometheus();
    } else {
        print_table();
    }
    return 0;
}

#include "marks.h"

#include <stdlib.h>
#include <string.h>

#include "../intake/header.h"

/* "2:LOCATION:MESSAGE" */
static char *message_of(char *datagram)
{
    char *colon = strlen(datagram) > 2 ? strchr(datagram + 2, ':') : NULL;

    return colon == NULL ? NULL : colon + 1;
}

/* The engine takes digits in a host, a program and a pid alike. */
static void keep_name(struct marks *marks, const char *message, char *from, char *to)
{
    size_t length = (size_t)(to - from) - 1, rest = strlen(to + 1) + 1;

    if (length <= LONGEST_NAME) {
        marks->names[marks->count].at = (size_t)(from - message);
        marks->names[marks->count].length = length;
        memcpy(marks->names[marks->count].text, from + 1, length);
        marks->count++;
    }
    memset(from, '0', length);
    memmove(from + length, to + 1, rest);
}

void read_marks(char *datagram, struct marks *marks)
{
    char *message = message_of(datagram), *from, *to;

    marks->count = 0;
    marks->extra = NULL;
    marks->from_network = datagram[0] == '2' || strncmp(datagram, "1:stdin:", 8) == 0; /* the rule tester's */
    if (message == NULL) {
        return;
    }
    to = strchr(message, HEADER_EXTRA);
    if (to != NULL) {
        *to = '\0';
        marks->extra = to + 1;
    }
    while (marks->count < MOST_NAMES && (from = strchr(message, HEADER_NAME)) != NULL &&
           (to = strchr(from + 1, HEADER_NAME)) != NULL) {
        keep_name(marks, message, from, to);
    }
}

/* full_log holds the line twice, each with its end; what the engine took apart is in the second. */
static char *second(const Eventinfo *lf)
{
    return lf->full_log + strlen(lf->full_log) + 1;
}

void restore_names(Eventinfo *lf, const struct marks *marks)
{
    size_t length = strlen(lf->full_log);

    for (size_t i = 0; i < marks->count; i++) {
        size_t at = marks->names[i].at;

        if (at + marks->names[i].length <= length) {
            memcpy(lf->full_log + at, marks->names[i].text, marks->names[i].length);
            memcpy(second(lf) + at, marks->names[i].text, marks->names[i].length);
        }
    }
}

static void move(char **pointer, const char *from, size_t size, char *to)
{
    if (*pointer >= from && *pointer < from + size) {
        *pointer = to + (*pointer - from);
    }
}

/* A location is the sender's address with "-" for ":". */
static void address_of(const char *location, char *address)
{
    while ((*address++ = *location == '-' ? ':' : *location) != '\0') {
        location++;
    }
}

void complete(Eventinfo *lf, const struct marks *marks, int without_host)
{
    const char *taken_apart;
    size_t size, extra, all;
    char *longer;

    without_host = without_host && marks->from_network;
    if (marks->extra == NULL && !without_host) {
        return;
    }
    taken_apart = second(lf);
    size = (size_t)(taken_apart - lf->full_log);
    extra = marks->extra != NULL ? strlen(marks->extra) + 1 : 0;
    all = size + extra;
    /* Twice the line, as the engine copies it, and the host, whose memory goes with the line's. */
    longer = malloc(all + size + (without_host ? strlen(lf->location) + 1 : 0));
    if (longer == NULL) {
        return;
    }
    memcpy(longer, lf->full_log, size);
    if (extra > 0) {
        longer[size - 1] = ' ';
        memcpy(longer + size, marks->extra, extra);
    }
    memcpy(longer + all, taken_apart, size);
    move(&lf->log, taken_apart, size, longer + all);
    move(&lf->hostname, taken_apart, size, longer + all);
    move(&lf->program_name, taken_apart, size, longer + all);
    if (without_host) {
        lf->hostname = longer + all + size;
        address_of(lf->location, lf->hostname);
    }
    free(lf->full_log);
    lf->full_log = longer;
}

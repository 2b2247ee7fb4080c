#define _GNU_SOURCE
#include "marks.h"

#include <stdlib.h>
#include <string.h>

#include "../intake/header.h"

#define IN_NO_HEADER '|' /* what ends a name and begins nothing, for the engine's reader of headers */

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
    char *message = message_of(datagram), *from, *to, *extra;

    marks->count = marks->extra_at = 0;
    marks->from_network = datagram[0] == '2' || strncmp(datagram, "1:stdin:", 8) == 0; /* the rule tester's */
    if (message == NULL) {
        return;
    }
    extra = strchr(message, HEADER_EXTRA);
    while (marks->count < MOST_NAMES && (from = strchr(message, HEADER_NAME)) != NULL &&
           (to = strchr(from + 1, HEADER_NAME)) != NULL) {
        keep_name(marks, message, from, to);
        extra -= extra != NULL ? 2 : 0;
    }
    if (extra != NULL) {
        *extra = IN_NO_HEADER;
        marks->extra_at = (size_t)(extra - message);
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

void cut_extra(Eventinfo *lf, const struct marks *marks)
{
    char *line = second(lf), *end = line + marks->extra_at;

    if (marks->extra_at == 0 || end >= line + strlen(lf->full_log)) {
        return;
    }
    lf->full_log[marks->extra_at] = ' ';
    *end = '\0';
    if (lf->log > end) { /* Solaris' "[ID 702911 auth.info]" without an end, which the engine has found in the extra */
        char *from = memmem(line, marks->extra_at, "[ID ", 4);

        lf->log = from != NULL ? from : end;
    }
    if (lf->program_name != NULL) { /* AIX' has no end, where no colon is behind it */
        lf->p_name_size = strlen(lf->program_name);
    }
}

void name_sender(Eventinfo *lf)
{
    size_t size = strlen(lf->full_log) + 1;
    /* Twice the line, as the engine copies it, and the host, whose memory goes with the line's. */
    char *longer = malloc(2 * size + strlen(lf->location) + 1);

    if (longer == NULL) {
        return;
    }
    memcpy(longer, lf->full_log, 2 * size);
    move(&lf->log, lf->full_log, 2 * size, longer);
    move(&lf->program_name, lf->full_log, 2 * size, longer);
    lf->hostname = longer + 2 * size;
    address_of(lf->location, lf->hostname);
    free(lf->full_log);
    lf->full_log = longer;
}

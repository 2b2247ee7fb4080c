#include "marks.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "../intake/header.h"

/* "2:LOCATION:MESSAGE" */
static char *message_of(char *datagram)
{
    char *colon = strlen(datagram) > 2 ? strchr(datagram + 2, ':') : NULL;

    return colon == NULL ? NULL : colon + 1;
}

/* What the engine's reader of headers takes for a name's character. */
static int is_name_character(unsigned char c)
{
    return isalnum(c) || (c != '\0' && strchr("()-./@_", c) != NULL);
}

/* A digit is taken in a host, a program and a pid alike. */
static void keep_name(struct marks *marks, const char *message, char *from, char *to)
{
    size_t length = (size_t)(to - from) - 1, rest = strlen(to + 1) + 1;

    if (length <= LONGEST_NAME) {
        marks->names[marks->count].at = (size_t)(from - message);
        marks->names[marks->count].length = length;
        memcpy(marks->names[marks->count].text, from + 1, length);
        marks->count++;
    }
    for (char *at = from + 1; at < to; at++) {
        at[-1] = is_name_character((unsigned char)*at) ? *at : '0';
    }
    memmove(from + length, to + 1, rest);
}

void read_marks(char *datagram, struct marks *marks)
{
    char *message = message_of(datagram), *from, *to;

    marks->count = 0;
    marks->extra = NULL;
    marks->from_network = datagram[0] == '2';
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

void append_extra(Eventinfo *lf, const struct marks *marks)
{
    size_t size = strlen(lf->full_log) + 1, all = size + (marks->extra ? strlen(marks->extra) : 0) + 1;
    char *longer = marks->extra ? calloc(2, all + 1) : NULL; /* twice the line, as the engine copies it */

    if (longer == NULL) {
        return;
    }
    memcpy(longer, lf->full_log, size - 1);
    longer[size - 1] = ' ';
    strcpy(longer + size, marks->extra);
    memcpy(longer + all, second(lf), size);
    move(&lf->log, second(lf), size, longer + all);
    move(&lf->hostname, second(lf), size, longer + all);
    move(&lf->program_name, second(lf), size, longer + all);
    free(lf->full_log);
    lf->full_log = longer;
}

/* How a message begins and ends is decided for each anew, as senders mix the ways:
 *
 * - It begins with a count, "DIGITS SPACE", when behind it stands a priority ("<13>"), or when the stream had a counted
 *   message before. A stream's first one without a priority is one when counted messages follow up to a priority or
 *   to the end of the stream.
 * - A count is contradicted when behind its end stands what begins no message. It is then taken for broken: the message
 *   is what a line would be, so that a wrong count costs at most itself and no neighbour.
 *   Where the message was taken before its neighbour came, its rest is a message of its own.
 * - Anything else is a line: it ends with LF or NUL. "2026-11-26T06:00:00 ..." and "10 users logged in" are lines.
 * - Inside a counted message LF is text: what is in a message must not be able to begin another one.
 * - A CR, LF or NUL at a message's end is no part of it. */
#define _GNU_SOURCE
#include "frames.h"

#include <ctype.h>
#include <string.h>

#define COUNT_DIGITS 8

enum count { COUNT_NONE, COUNT_UNFINISHED, COUNT_ALONE, COUNT_AND_PRIORITY };

/* Whether "<", one to three digits and ">" stand there; -1 where they may still come. */
static int priority_at(const char *bytes, size_t length)
{
    size_t n = 1;

    if (length == 0) {
        return -1;
    }
    if (bytes[0] != '<') {
        return 0;
    }
    while (n < length && n <= 3 && isdigit((unsigned char)bytes[n])) {
        n++;
    }
    if (n == length) {
        return -1;
    }
    return n > 1 && bytes[n] == '>';
}

/* Reads the count there, and how many bytes it takes with its space. */
static enum count count_at(const char *bytes, size_t length, size_t *count, size_t *head)
{
    size_t n = 0;

    *count = 0;
    if (length > 0 && (bytes[0] < '1' || bytes[0] > '9')) {
        return COUNT_NONE;
    }
    for (; n < length && isdigit((unsigned char)bytes[n]); n++) {
        if (n == COUNT_DIGITS) {
            return COUNT_NONE;
        }
        *count = 10 * *count + (size_t)(bytes[n] - '0');
    }
    if (n == length) {
        return COUNT_UNFINISHED;
    }
    if (bytes[n] != ' ') {
        return COUNT_NONE;
    }
    *head = n + 1;
    switch (priority_at(bytes + *head, length - *head)) {
        case 1: return COUNT_AND_PRIORITY;
        case 0: return COUNT_ALONE;
        default: return COUNT_UNFINISHED;
    }
}

/* Whether a message may begin there. */
static int may_begin(const char *bytes, size_t length)
{
    size_t count, head;

    return length == 0 || strchr("<\r\n", bytes[0]) != NULL /* NUL, too */ ||
           count_at(bytes, length, &count, &head) != COUNT_NONE;
}

/* Whether one begins there for certain: with a priority, or a count and one. */
static int begins(const char *bytes, size_t length)
{
    size_t count, head;

    return priority_at(bytes, length) == 1 || count_at(bytes, length, &count, &head) == COUNT_AND_PRIORITY;
}

/* The first LF or NUL from `from` on, or NULL. */
static const char *delimiter(const char *from, size_t length)
{
    const char *lf, *nul;

    if (length > FRAME_LIMIT + 1) {
        length = FRAME_LIMIT + 1;
    }
    lf = memchr(from, '\n', length);
    nul = memchr(from, '\0', lf ? (size_t)(lf - from) : length);
    return nul ? nul : lf;
}

static int found(struct frames *stream, struct frame *frame, const char *text, size_t length, size_t used)
{
    if (length > FRAME_LIMIT) { /* of one whose count is wrong, whose end is looked for farther on */
        length = FRAME_LIMIT;
    }
    while (length > 0 && strchr("\r\n", text[length - 1]) != NULL) { /* NUL, too */
        length--;
    }
    stream->searched = 0;
    *frame = (struct frame){text, length, used};
    return 1;
}

/* A line; a wrong count may stand before it, `head` bytes that are dropped. */
static int line(struct frames *stream, const char *bytes, size_t length, size_t head, int last, struct frame *frame)
{
    size_t from = stream->searched > head ? stream->searched : head;
    const char *end = delimiter(bytes + from, length - from);

    if (end != NULL && (size_t)(end - bytes) - head <= FRAME_LIMIT) {
        return found(stream, frame, bytes + head, (size_t)(end - bytes) - head, (size_t)(end - bytes) + 1);
    }
    if (length - head > FRAME_LIMIT) {
        stream->skip_line = 1;
        return found(stream, frame, bytes + head, FRAME_LIMIT, head + FRAME_LIMIT);
    }
    if (last) {
        return found(stream, frame, bytes + head, length - head, length);
    }
    stream->searched = length;
    stream->head = head;
    return 0;
}

/* A message whose count is wrong: a line, which also ends where a count and a priority stand. */
static int broken(struct frames *stream, const char *bytes, size_t length, size_t head, size_t count, int last,
                  struct frame *frame)
{
    const char *end = delimiter(bytes + head, length - head);
    size_t until = end ? (size_t)(end - bytes) : length;

    for (size_t n = head + count; n < until; n++) {
        if (isdigit((unsigned char)bytes[n]) && begins(bytes + n, length - n)) {
            return found(stream, frame, bytes + head, n - head, n);
        }
    }
    return line(stream, bytes, length, head, last, frame);
}

/* What comes behind a counted message that was taken when nothing stood behind it yet. Where it begins no message, the count
 * was too small, and that is the rest: a message of its own, as what was taken is taken. */
static int rest_of_counted(struct frames *stream, const char *bytes, size_t length, int last, struct frame *frame)
{
    if (!broken(stream, bytes, length, 0, 0, last, frame)) {
        stream->searched = 0; /* a count and a priority end it, too */
        return 0;
    }
    stream->unproved = 0;
    return 1;
}

/* The stream ends inside a counted message: it is cut short, unless others stand in it, so that the count is wrong. */
static int unfinished(struct frames *stream, const char *bytes, size_t length, size_t head, struct frame *frame)
{
    const char *end = bytes + head;

    while ((end = delimiter(end, length - (size_t)(end - bytes))) != NULL) {
        end++;
        if (begins(end, length - (size_t)(end - bytes))) {
            return found(stream, frame, bytes + head, (size_t)(end - bytes) - head, (size_t)(end - bytes));
        }
    }
    return found(stream, frame, bytes + head, length - head, length);
}

/* A counted message: for certain, or as the stream had one before. */
static int counted(struct frames *stream, const char *bytes, size_t length, size_t head, size_t count, int certain, int last,
                   struct frame *frame)
{
    if (count > FRAME_LIMIT && length - head >= FRAME_LIMIT) {
        stream->skip_octets = count - FRAME_LIMIT;
        stream->counted = 1;
        return found(stream, frame, bytes + head, FRAME_LIMIT, head + FRAME_LIMIT);
    }
    if (length - head < count) {
        return last ? unfinished(stream, bytes, length, certain ? head : 0, frame) : 0;
    }
    if (!may_begin(bytes + head + count, length - head - count)) {
        return certain ? broken(stream, bytes, length, head, count, last, frame) : line(stream, bytes, length, 0, last, frame);
    }
    stream->counted = 1;
    stream->unproved = length - head == count;
    return found(stream, frame, bytes + head, count, head + count);
}

/* Whether counted messages stand there, one behind the other, up to the end or to one with a priority. */
static int chain(const char *bytes, size_t length)
{
    size_t count, head;

    while (length > 0 && !begins(bytes, length)) {
        if (count_at(bytes, length, &count, &head) != COUNT_ALONE || count > length - head) {
            return 0;
        }
        bytes += head + count;
        length -= head + count;
    }
    return 1;
}

/* The stream's first number and space without a priority: a counted message, or a line of text. */
static int perhaps_counted(struct frames *stream, const char *bytes, size_t length, size_t head, size_t count, int last,
                           struct frame *frame)
{
    size_t there = length - head;

    if (count > FRAME_LIMIT || delimiter(bytes + head, there < count ? there : count) != NULL) {
        return line(stream, bytes, length, 0, last, frame);
    }
    if (!last && length <= FRAME_LIMIT && delimiter(bytes, length) == NULL && (there <= count || !chain(bytes + head + count, there - count))) {
        return 0; /* a line would have no end yet either */
    }
    if (there < count || !chain(bytes + head + count, there - count)) {
        return line(stream, bytes, length, 0, last, frame);
    }
    stream->counted = 1;
    return found(stream, frame, bytes + head, count, head + count);
}

int frames_next(struct frames *stream, const char *bytes, size_t length, int last, struct frame *frame)
{
    size_t count = 0, head = 0;
    const char *end;

    if (length == 0) {
        return 0;
    }
    if (stream->skip_octets > 0) {
        size_t skipped = stream->skip_octets < length ? stream->skip_octets : length;

        stream->skip_octets -= skipped;
        return found(stream, frame, bytes, 0, skipped);
    }
    if (stream->skip_line) {
        end = delimiter(bytes, length);
        stream->skip_line = end == NULL;
        return found(stream, frame, bytes, 0, end ? (size_t)(end - bytes) + 1 : length < FRAME_LIMIT ? length : FRAME_LIMIT);
    }
    if (stream->unproved && !may_begin(bytes, length)) {
        return rest_of_counted(stream, bytes, length, last, frame);
    }
    stream->unproved = 0;
    if (stream->searched > 0) { /* it was a line when less was there */
        return line(stream, bytes, length, stream->head, last, frame);
    }
    switch (count_at(bytes, length, &count, &head)) {
        case COUNT_AND_PRIORITY: return counted(stream, bytes, length, head, count, 1, last, frame);
        case COUNT_ALONE:
            return stream->counted ? counted(stream, bytes, length, head, count, 0, last, frame)
                                   : perhaps_counted(stream, bytes, length, head, count, last, frame);
        case COUNT_UNFINISHED: return last ? line(stream, bytes, length, 0, last, frame) : 0;
        default: return line(stream, bytes, length, 0, last, frame);
    }
}

int frames_stalled(const char *bytes, size_t length)
{
    size_t count, head;
    enum count kind = count_at(bytes, length, &count, &head);

    return length > 0 && ((kind == COUNT_ALONE && count == length - head) ||
                          ((kind == COUNT_ALONE || kind == COUNT_AND_PRIORITY) &&
                           (bytes[length - 1] == '\n' || bytes[length - 1] == '\0')));
}

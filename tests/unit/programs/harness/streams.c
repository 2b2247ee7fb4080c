/* streams SECONDS SEED: feeds frames.c and relp.c with streams made at random, under the sanitizers.
 *
 * - Messages in frames of every kind, in pieces of any size: just these messages come out.
 * - Any bytes at all: it gets on, and gives nothing that was not there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "connections.h"
#include "frames.h"
#include "say.h"

#define MESSAGES 40
#define ROOM (1 << 21)

struct journal *journal;
struct state *state;
struct settings settings;

static unsigned long long seed;
static char stream[ROOM];
static size_t length;
static char *expected[MESSAGES];
static size_t expected_length[MESSAGES], expected_count, taken;
static uint64_t appended;
static size_t lines, answers;

static unsigned chance(unsigned below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 11) % below;
}

static void fail(const char *what)
{
    fprintf(stderr, "%s: ", what);
    for (size_t n = 0; n < length && n < 2000; n++) {
        fprintf(stderr, stream[n] > 31 && stream[n] < 127 ? "%c" : "\\x%02x", (unsigned char)stream[n]);
    }
    fputc('\n', stderr);
    abort();
}

static void put(const void *bytes, size_t count)
{
    memcpy(stream + length, bytes, count);
    length += count;
}

static void put_number(size_t number)
{
    char text[24];

    put(text, (size_t)sprintf(text, "%zu ", number));
}

/* A message: a priority and letters, digits, spaces; with newlines where it is counted. */
static size_t make_message(char *to, int counted)
{
    static const char letters[] = "abc 0123456789 <>[]:-ABC";
    size_t size = chance(50) == 0 ? chance(FRAME_LIMIT - 10) : chance(200), n = (size_t)sprintf(to, "<%u>", chance(192));

    while (n < size) {
        to[n++] = counted && chance(20) == 0 ? '\n' : letters[chance(sizeof(letters) - 1)];
    }
    to[n++] = 'z'; /* no space or newline at its end */
    return n;
}

static void make_streams(void)
{
    length = expected_count = taken = 0;
    for (unsigned n = 0; n < 1 + chance(MESSAGES - 1); n++) {
        int counted = chance(2) == 0;
        char *message = malloc(FRAME_LIMIT + 16);
        size_t size = make_message(message, counted);

        expected[expected_count] = message;
        expected_length[expected_count++] = size;
        if (counted) {
            put_number(size);
            put(message, size);
        } else {
            static const char *const ends[] = {"\n", "\r\n", "\0", "\n\n"};
            unsigned end = chance(4);

            put(message, size);
            put(ends[end], end == 1 || end == 3 ? 2 : 1);
        }
    }
}

static void compare(const struct frame *frame)
{
    if (frame->length == 0) {
        return;
    }
    if (taken >= expected_count || frame->length != expected_length[taken] ||
        memcmp(frame->text, expected[taken], frame->length) != 0) {
        fail("not the messages that were sent");
    }
    taken++;
}

/* Feeds the stream in pieces, each in memory of its own, so that the sanitizer sees a byte too far. */
static void feed(void (*with)(const struct frame *frame))
{
    struct frames frames = {0};
    size_t from = 0, there = 0;

    while (from < length) {
        size_t piece = there + 1 + chance(chance(3) == 0 ? 3 : 5000);
        char *bytes;
        struct frame frame;
        size_t used = 0;
        int last;

        there = piece < length - from ? piece : length - from;
        last = from + there == length;
        bytes = malloc(there);
        memcpy(bytes, stream + from, there);
        while (frames_next(&frames, bytes + used, there - used, last, &frame)) {
            if (frame.used == 0 || frame.used > there - used || frame.length > FRAME_LIMIT || frame.text < bytes + used ||
                frame.text + frame.length > bytes + there) {
                fail("a frame that can't be");
            }
            used += frame.used;
            if (with != NULL) {
                with(&frame);
            }
        }
        if (last && used < there) {
            fail("the stream's end is not taken");
        }
        if (there - used > FRAME_LIMIT + 64) {
            fail("too much is kept");
        }
        frames_stalled(bytes + used, there - used);
        free(bytes);
        from += used;
        there -= used;
    }
}

static void any_bytes(void)
{
    static const char *const pieces[] = {"<13>", "12 ", "<13>Nov 26 06:00:00 web1 app: x", "\n", "\r\n", " ", "9", "0", "65536 ",
                                         "99999999 ", "1 open 15 commands=syslog\n", "2 syslog 4 abcd\n", " syslog ", " close 0\n",
                                         "70000 ", "rsp", "1 open 0\n", "3 syslog 70000 ", "syslog 5 a\nb\nc\n", ",", "="};

    length = 0;
    for (unsigned n = 1 + chance(60); n > 0; n--) {
        switch (chance(12)) {
            case 0: put("", 1); break;
            case 1: stream[length++] = (char)chance(256); break;
            case 2:
                if (chance(8) == 0) {
                    size_t some = chance(90000);

                    memset(stream + length, 'x', some);
                    length += some;
                }
                break;
            default: {
                const char *piece = pieces[chance(sizeof(pieces) / sizeof(pieces[0]))];

                put(piece, strlen(piece));
            }
        }
        if (length > ROOM - 200000) {
            break;
        }
    }
}

/* What relp.c calls. */
uint64_t journal_appended(const struct journal *j) { (void)j; return appended; }
uint64_t journal_synced(const struct journal *j) { (void)j; return appended; }
void notice(enum notice kind, uint64_t times, const char *detail) { (void)kind, (void)times, (void)detail; }
void connections_each(void (*what)(struct connection *c)) { (void)what; }
void connection_settle(struct connection *c) { (void)c; }

void take_line(enum input input, const struct source *source, const char *text, size_t size)
{
    (void)input, (void)source;
    if (size > FRAME_LIMIT || (size > 0 && text[size - 1] == '\0' && text[0] == '\0')) {
        fail("a line that can't be");
    }
    lines++;
    appended += size;
}

void connection_send(struct connection *c, const char *bytes, size_t size)
{
    (void)c;
    if (size == 0 || bytes[size - 1] != '\n') {
        fail("an answer that is no frame");
    }
    answers++;
}

static void feed_relp(void)
{
    struct connection *c = calloc(1, sizeof(*c));
    size_t from = 0, there = 0;

    c->protocol = &relp_protocol;
    lines = answers = 0;
    while (from < length && !c->ended) {
        size_t piece = there + 1 + chance(5000), used;
        char *bytes;

        there = piece < length - from ? piece : length - from;
        bytes = malloc(there);
        memcpy(bytes, stream + from, there);
        used = relp_protocol.take(c, bytes, there, 0);
        free(bytes);
        if (used > there || (!c->ended && there - used > FRAME_LIMIT + 64)) {
            fail("RELP keeps too much");
        }
        from += used;
        there -= used;
        if (from + there == length) {
            break;
        }
    }
    relp_answer_synced();
    if (c->relp.count > 0 || answers < lines) {
        fail("a line without an answer");
    }
    relp_protocol.end(c);
    free(c);
}

int main(int argc, char **argv)
{
    time_t until = time(NULL) + (argc > 1 ? atoi(argv[1]) : 5);
    unsigned long long rounds = 0;

    seed = (argc > 2 ? strtoull(argv[2], NULL, 10) : 1) * 2654435761u + 88172645463325252u;
    while (time(NULL) < until) {
        make_streams();
        feed(compare);
        if (taken != expected_count) {
            fail("messages are missing");
        }
        for (size_t n = 0; n < expected_count; n++) {
            free(expected[n]);
        }
        any_bytes();
        feed(NULL);
        feed_relp();
        rounds++;
    }
    printf("%llu\n", rounds);
    return 0;
}

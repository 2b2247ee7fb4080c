/* What test_header.py runs docker/intake's reader of headers with. A record is its length, 4 bytes, then its bytes.
 *
 *   header_harness convert ROOM    records from standard input; a record for each, its first byte says whether it was cut
 *   header_harness fuzz SECONDS    mutates the records, and aborts where what comes out is not what may
 *   header_harness mutate COUNT    so many mutations of the records, each with what it becomes
 *   header_harness time            nanoseconds of CPU for each record */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "header.h"

#define NOW 1795759200 /* 2026-11-27 06:00:00 UTC */
#define MOST 16384
#define LONGEST 16384
#define ENGINE_LIMIT 6143

static char *records[MOST];
static size_t lengths[MOST], count;

static void read_records(void)
{
    unsigned length;

    while (count < MOST && fread(&length, sizeof(length), 1, stdin) == 1) {
        if (length > LONGEST) {
            exit(1);
        }
        records[count] = malloc(length + 1);
        if (fread(records[count], 1, length, stdin) != length) {
            exit(1);
        }
        lengths[count++] = length;
    }
}

/* In memory of exactly that size, so that a byte read or written outside of it is found. */
static size_t convert(const char *line, size_t length, size_t room, char *out, int *cut)
{
    char *exact = malloc(length ? length : 1), *exact_out = malloc(room ? room : 1);
    size_t written;

    memcpy(exact, line, length);
    written = header_to_engine_at(exact, length, "2001:db8::9", exact_out, room, cut, NOW);
    if (written > room) {
        fprintf(stderr, "%zu bytes into a room of %zu\n", written, room);
        abort();
    }
    memcpy(out, exact_out, written);
    free(exact);
    free(exact_out);
    return written;
}

static void fail_with(const char *what, const char *line, size_t length)
{
    fprintf(stderr, "%s: ", what);
    for (size_t i = 0; i < length; i++) {
        fprintf(stderr, line[i] >= ' ' && line[i] < 127 && line[i] != '\\' ? "%c" : "\\x%02x", (unsigned char)line[i]);
    }
    fprintf(stderr, "\n");
    abort();
}

static size_t span(const char *text, size_t length, size_t at, const char *others)
{
    size_t from = at;

    while (at < length && (strchr(others, text[at]) ? text[at] != '\0' : 0)) {
        at++;
    }
    return at - from;
}

/* "Nov 26 06:00:00 web1 sshd[77]: ", told in another way than header.c does. */
static int is_canonical(const char *line, size_t length)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz", digits[] = "0123456789";
    size_t at = 16, word;

    if (length < 22 || memcmp(line, "Nov 2", 5) != 0 || memcmp(line + 6, " 06:00:0", 8) != 0 ||
        strchr(digits, line[5]) == NULL ||
        strchr(digits, line[14]) == NULL || line[5] == 0 || line[14] == 0 || line[15] != ' ') {
        return 0;
    }
    word = span(line, length, at, letters);
    at += word + 1;
    if (word == 0 || at >= length || line[at - 1] != ' ') {
        return 0;
    }
    word = span(line, length, at, letters);
    at += word;
    if (word == 0 || at >= length) {
        return 0;
    }
    if (line[at] == '[') {
        word = span(line, length, at + 1, digits);
        at += word + 2;
        if (word == 0 || at > length || line[at - 1] != ']') {
            return 0;
        }
    }
    return at + 1 < length && line[at] == ':' && line[at + 1] == ' ';
}

/* What holds for every line. */
static void check(const char *line, size_t length, size_t room)
{
    static char out[LONGEST], again[LONGEST];
    int cut, names = 0, extras = 0;
    size_t written = convert(line, length, room, out, &cut), second;

    for (size_t i = 0; i < written; i++) {
        unsigned char c = (unsigned char)out[i];

        names += c == HEADER_NAME;
        extras += c == HEADER_EXTRA;
        if ((c < ' ' && c != '\t' && c != HEADER_NAME && c != HEADER_EXTRA) || c == 0x7f) {
            fail_with("a control character", line, length);
        }
        if (c == HEADER_NAME && extras) {
            fail_with("a name in the extra", line, length);
        }
    }
    if (extras > 1 || names > 6 || (names % 2 != 0 && !cut)) {
        fail_with("marks that do not pair", line, length);
    }
    if (!cut && names == 0 && extras == 0 && is_canonical(out, written)) {
        second = convert(out, written, room, again, &cut);
        if (second != written || memcmp(out, again, second) != 0) {
            fail_with("canonical, and not the same when it is read again", line, length);
        }
    }
}

static unsigned random_number(void)
{
    static unsigned long long state = 88172645463325252ULL;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 16);
}

static size_t mutate(char *line)
{
    static const char spice[] = "<>[]{}:,.- \t\"\\%=*|1909TZ+/\0\r\n\x1d\x1e\x7f\xef\xbb\xbf";
    size_t which = random_number() % count, length = lengths[which];

    memcpy(line, records[which], length);
    for (unsigned turns = random_number() % 6; turns > 0; turns--) {
        size_t at = length ? random_number() % length : 0, other;

        switch (random_number() % 5) {
        case 0: /* another byte */
            line[at] = random_number() % 4 ? spice[random_number() % (sizeof(spice) - 1)] : (char)random_number();
            break;
        case 1: /* one more */
            if (length < LONGEST / 2) {
                memmove(line + at + 1, line + at, length - at);
                line[at] = spice[random_number() % (sizeof(spice) - 1)];
                length++;
            }
            break;
        case 2: /* some less */
            other = length ? random_number() % (length - at) : 0;
            memmove(line + at, line + at + other, length - at - other);
            length -= other;
            break;
        case 3: /* the end of another line */
            other = random_number() % count;
            if (lengths[other] > 0 && at + lengths[other] < LONGEST / 2) {
                size_t from = random_number() % lengths[other];

                memcpy(line + at, records[other] + from, lengths[other] - from);
                length = at + lengths[other] - from;
            }
            break;
        default: /* a part again and again */
            other = length ? random_number() % (length - at) : 0;
            for (unsigned times = random_number() % 40; times > 0 && length + other < LONGEST / 2 && other > 0; times--) {
                memmove(line + at + other, line + at, length - at);
                length += other;
            }
        }
    }
    return length;
}

static void fuzz(double seconds)
{
    static char line[LONGEST];
    unsigned long lines = 0;
    clock_t end = clock() + (clock_t)(seconds * CLOCKS_PER_SEC);

    for (size_t i = 0; i < count; i++) {
        for (size_t room = 0; room < 200; room++) {
            check(records[i], lengths[i], room);
        }
        for (size_t length = 0; length < lengths[i]; length++) {
            check(records[i], length, ENGINE_LIMIT);
        }
    }
    for (; clock() < end; lines++) {
        size_t length = mutate(line);

        check(line, length, random_number() % 8 ? ENGINE_LIMIT : random_number() % 300);
    }
    printf("%lu\n", lines);
}

static double nanoseconds(size_t which, unsigned turns)
{
    static char out[ENGINE_LIMIT];
    struct timespec from, to;
    int cut;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    for (unsigned i = 0; i < turns; i++) {
        header_to_engine(records[which], lengths[which], "192.0.2.9", out, sizeof(out), &cut);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    return ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) / turns;
}

static void write_record(const char *bytes, size_t length)
{
    unsigned size = (unsigned)length;

    fwrite(&size, sizeof(size), 1, stdout);
    fwrite(bytes, 1, length, stdout);
}

static void mutations(unsigned long wanted)
{
    static char line[LONGEST], out[LONGEST];
    int cut;

    while (wanted-- > 0) {
        size_t length = mutate(line);

        write_record(line, length);
        write_record(out, convert(line, length, ENGINE_LIMIT, out, &cut));
    }
}

int main(int argc, char **argv)
{
    static char out[LONGEST];

    read_records();
    if (argc == 3 && strcmp(argv[1], "convert") == 0) {
        for (size_t i = 0; i < count; i++) {
            int cut;
            unsigned written = (unsigned)convert(records[i], lengths[i], strtoul(argv[2], NULL, 10), out, &cut) + 1;

            fwrite(&written, sizeof(written), 1, stdout);
            putchar(cut);
            fwrite(out, 1, written - 1, stdout);
        }
    } else if (argc == 3 && strcmp(argv[1], "fuzz") == 0) {
        fuzz(atof(argv[2]));
    } else if (argc == 3 && strcmp(argv[1], "mutate") == 0) {
        mutations(strtoul(argv[2], NULL, 10));
    } else if (argc == 2 && strcmp(argv[1], "time") == 0) {
        for (size_t i = 0; i < count; i++) {
            double best = 1e9;

            for (int turn = 0; turn < 5; turn++) {
                double now = nanoseconds(i, 20000);

                best = now < best ? now : best;
            }
            printf("%.1f\n", best);
        }
    } else {
        return 64;
    }
    for (size_t i = 0; i < count; i++) {
        free(records[i]);
    }
    return 0;
}

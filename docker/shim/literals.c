/* The engine tries some seventy regular expressions on each line, few of which match. Nearly all look for words, and a line
 * that does not hold the word cannot match. For each pattern, the groups of three bytes of one such word of each of its
 * alternatives, or of those of one of its groups, are remembered as bits (words.c). The line's own are found once, and a pattern
 * whose bits are not among them is not tried. Letters count in either case, as most patterns do. Nor is one tried that is tied to
 * the beginning of the text, where the text begins otherwise. */
#include "literals.h"

#include <stdlib.h>
#include <string.h>

#include "words.h"

#define TABLE 16384            /* patterns, of which OSSEC and our rules have 3000 */
#define FIRSTS 1024            /* different beginnings, of which they have 600 */
#define EXTENDED 0x00000080u   /* PCRE2_EXTENDED, with which blanks mean nothing. The stand-in is built where there is no pcre2.h */
#define LITERAL 0x02000000u    /* PCRE2_LITERAL */
#define MULTILINE 0x00000400u  /* PCRE2_MULTILINE, with which there are several beginnings */

/* Half a cache line. */
static struct known {
    const void *code;
    struct literal is;
} known[TABLE];
static unsigned patterns;

static struct beginning firsts[FIRSTS];
static unsigned first_count = 1;

static const char *line, *line_end;
static uint64_t in_line[WORD_BITS / 64];

static struct known *slot(const void *code)
{
    size_t at = ((uintptr_t)code >> 4) * 2654435761u % TABLE;

    while (known[at].code != NULL && known[at].code != code) {
        at = (at + 1) % TABLE;
    }
    return &known[at];
}

static uint16_t first_of(const char *pattern)
{
    struct beginning beginning;
    unsigned n = 1;

    beginning_of(pattern, &beginning);
    if (beginning.length == 0) {
        return 0;
    }
    while (n < first_count && memcmp(&firsts[n], &beginning, sizeof(beginning)) != 0) {
        n++;
    }
    if (n == FIRSTS) {
        return 0;
    }
    if (n == first_count) {
        firsts[first_count++] = beginning;
    }
    return (uint16_t)n;
}

static int may_stand(const uint32_t bytes[8], unsigned char c) { return bytes[c / 32] >> c % 32 & 1; }

static int begins_so(const struct beginning *beginning, const char *text)
{
    for (unsigned n = 0; n < beginning->length; n++) {
        if (!may_stand(beginning->bytes[n], (unsigned char)text[n])) { /* a text that is too short ends with a zero */
            return 0;
        }
    }
    return 1;
}

void literals_learn(const void *code, const char *pattern, uint32_t options)
{
    struct words words = {.count = 0};
    struct known *one = slot(code);
    size_t size = 0;
    uint16_t first = 0;

    if (one->code != NULL) { /* it is gone, and another lies in its place now */
        free(one->is.others);
        one->is = (struct literal){.count = 0};
    }
    if (!(options & (EXTENDED | LITERAL))) {
        words_of(pattern, &words);
        first = options & MULTILINE ? 0 : first_of(pattern);
        size = words.count > 1 ? (words.count - 1) * sizeof(words.places[0]) : 0;
    }
    if ((words.count == 0 && first == 0) || (one->code == NULL && patterns > TABLE / 2) ||
        (size > 0 && (one->is.others = malloc(size)) == NULL)) {
        return;
    }
    patterns += one->code == NULL;
    one->code = code;
    one->is.count = (uint16_t)words.count;
    one->is.first = first;
    memcpy(one->is.places, words.places[0], sizeof(one->is.places));
    if (size > 0) {
        memcpy(one->is.others, words.places[1], size);
    }
}

void literals_of(const char *text)
{
    unsigned group = 0;

    line = text;
    if (text == NULL) {
        return;
    }
    memset(in_line, 0, sizeof(in_line));
    for (line_end = text; *line_end != '\0'; line_end++) {
        unsigned bit;

        group = group >> 8 | (unsigned)folded(*line_end) << 16;
        bit = group_place(group);
        in_line[bit / 64] |= 1ull << bit % 64; /* two more than there are, which hold a zero */
    }
}

static int holds(const uint16_t places[WORD_PLACES])
{
    for (int n = 0; n < WORD_PLACES; n++) {
        if (!(in_line[places[n] / 64] >> places[n] % 64 & 1)) {
            return 0;
        }
    }
    return 1;
}

static int has_word(const struct literal *one)
{
    if (one->count == 0 || holds(one->places)) {
        return 1;
    }
    for (unsigned n = 1; n < one->count; n++) {
        if (holds(one->others[n - 1])) {
            return 1;
        }
    }
    return 0;
}

int literals_may_match(const void *code, const char *text)
{
    const struct literal *one = &slot(code)->is;

    if (line != NULL && text >= line && text <= line_end && !has_word(one)) {
        return 0;
    }
    return one->first == 0 || begins_so(&firsts[one->first], text);
}

int literals_may_begin(const void *code, unsigned char first)
{
    const struct literal *one = &slot(code)->is;

    return code == NULL || one->first == 0 || may_stand(firsts[one->first].bytes[0], first);
}

struct literal literals_known(const void *code) { return code == NULL ? (struct literal){.count = 0} : slot(code)->is; }

int literals_are_of(const char *text) { return line != NULL && line == text; }

int literals_fit(const struct literal *one)
{
    return has_word(one) && (one->first == 0 || begins_so(&firsts[one->first], line));
}

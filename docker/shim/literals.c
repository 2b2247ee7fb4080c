/* The engine tries some seventy regular expressions on each line, few of which match. Nearly all look for words, and a line
 * that does not hold the word cannot match. For each pattern, the places are remembered of the groups of three bytes of such words:
 * one of each of its alternatives, or of those of its groups; a group that a word begins with has a place of its own (words.c).
 * The line's own are found once, and a pattern whose places are not among them is not tried. Letters count in either case, as most
 * patterns do. Nor is one tried that is tied to the beginning of the text, where the text begins otherwise. */
#include "literals.h"

#include <string.h>

#include "forms.h"
#include "syntax.h"
#include "word_lists.h"
#include "words.h"

#define TABLE 16384            /* patterns, of which OSSEC and our rules have 3000 */
#define FIRSTS 1024            /* different beginnings, of which they have 600 */
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
static int addresses; /* in it; -1 until they are asked for */
uint8_t literals_seen[1 << WORD_BITS], literals_turn;

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

void literals_learn(const void *code, const char *pattern, uint32_t options, uint8_t forms)
{
    struct known *one = slot(code);
    struct literal is = {.forms = forms};

    one->is = (struct literal){.key = 0}; /* another may have lain in its place, which is gone */
    if (!(options & UNREADABLE)) {
        word_lists_of(pattern, &is);
        is.first = options & MULTILINE ? 0 : first_of(pattern);
    }
    if ((is.counts[0] == 0 && is.first == 0 && forms == 0) || (one->code == NULL && patterns > TABLE / 2)) {
        return;
    }
    patterns += one->code == NULL;
    one->code = code;
    one->is = is;
}

struct literal literals_read(const char *pattern)
{
    struct literal one = {.key = 0};

    word_lists_of(pattern, &one);
    return one;
}

#define FOLDED 16                /* in a byte's kind: where it stands in a group, if it is the last of one */
#define OF_WORD (1ull << 56)
#define LAST_MARK (1ull << 24)   /* three bytes later it is of no use, and would come upon the group */

static uint64_t kinds[256];

static void make_kinds(void)
{
    for (int c = 0; c < 256; c++) {
        kinds[c] = (uint64_t)folded((char)c) << FOLDED | (of_word((char)c) ? OF_WORD : 0);
    }
}

static void next_turn(void)
{
    if (++literals_turn == 0) {
        memset(literals_seen, 0, sizeof(literals_seen));
        literals_turn = 1;
    }
}

void literals_of(const char *text)
{
    uint64_t last = 0; /* bytes, in a group's place; their marks are 32 and 40 bits higher for the one before and the group's first */

    line = text;
    addresses = -1;
    if (text == NULL) {
        return;
    }
    if (kinds['a'] == 0) {
        make_kinds();
    }
    next_turn();
    literals_seen[EVERY_LINE] = literals_turn;
    for (line_end = text; *line_end != '\0'; line_end++) {
        unsigned place, starts;

        last = (last >> 8 & ~LAST_MARK) | kinds[(unsigned char)*line_end];
        place = group_place(last & 0xffffff);
        starts = (unsigned)(last >> 40 & ~(last >> 32) & 1);
        literals_seen[place] = literals_turn; /* two more than there are, which hold a zero */
        literals_seen[(place + starts * start_place(0)) % (1 << WORD_BITS)] = literals_turn; /* as start_place() has it */
    }
}

/* Whether a word is there, the first place of which is. */
static inline int have_rest(const uint16_t places[WORD_PLACES - 1])
{
    return literals_have(places[0]) && literals_have(places[1]) && literals_have(places[2]);
}

/* The next place of the list that the line has. Most of the time of this file goes into this: four at once, and no end to look for. */
__attribute__((always_inline)) static inline const uint16_t *next_there(const uint16_t *at)
{
    for (;; at += 4) {
        if (literals_have(at[0])) {
            return at;
        }
        if (literals_have(at[1])) {
            return at + 1;
        }
        if (literals_have(at[2])) {
            return at + 2;
        }
        if (literals_have(at[3])) {
            return at + 3;
        }
    }
}

/* Whether one of a set's words is there. */
__attribute__((always_inline)) static inline int have_one(const uint16_t *set, unsigned count)
{
    for (const uint16_t *at = next_there(set); at < set + count; at = next_there(at + 1)) {
        const uint16_t *begins = at + count + 1;

        for (const uint16_t *rest = set + begins[0]; rest < set + begins[1]; rest += WORD_PLACES - 1) {
            if (have_rest(rest)) {
                return 1;
            }
        }
    }
    return 0;
}

__attribute__((always_inline)) static inline int has_words(const struct literal *one)
{
    const uint16_t *set = one->sets;
    int n = one->counts[0] == ONE_WORD;

    if (n && !(literals_have(one->places[0]) && have_rest(one->places + 1))) {
        return 0;
    }
    for (; n < WORD_SETS && one->counts[n] > 0; n++) {
        if (!have_one(set, one->counts[n])) {
            return 0;
        }
        set += set[2 * one->counts[n] + 1];
    }
    return 1;
}

/* Of an end of the line that begins within a word, it is not known where words begin. */
static int is_known(const char *text)
{
    return line != NULL && text >= line && text <= line_end && (text == line || !of_word(text[-1]) || !of_word(*text));
}

const void *literals_form(const void *code, const char *text)
{
    const struct literal *one = &slot(code)->is;

    if ((is_known(text) && !has_words(one)) || (one->first != 0 && !begins_so(&firsts[one->first], text))) {
        return NULL;
    }
    return one->forms != 0 && text == line ? form_for_line(one->forms, code, line) : code;
}

int literals_may_begin(const void *code, unsigned char first)
{
    const struct literal *one = &slot(code)->is;

    return code == NULL || one->first == 0 || may_stand(firsts[one->first].bytes[0], first);
}

struct literal literals_known(const void *code) { return code == NULL ? (struct literal){.key = 0} : slot(code)->is; }

int literals_are_of(const char *text) { return line != NULL && line == text; }

enum addresses literals_addresses(const char *text)
{
    if (!literals_are_of(text)) {
        return addresses_in(text);
    }
    if (addresses < 0) {
        addresses = (int)addresses_in(line);
    }
    return (enum addresses)addresses;
}

int literals_fit_known(const struct literal *one)
{
    return has_words(one) && (one->first == 0 || begins_so(&firsts[one->first], line));
}

/* Reads a pattern for the words that a text holds that it matches. */
#include "words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "syntax.h"

#define SIZE WORD_GROUP
#define DEPTH 6 /* of groups in which words are looked for */
#define FEW 8   /* words that are as good as the one that all of them begin with */

/* One alternative that is being read: the word that it is in, and the best of its words and of its groups' so far. */
struct reading {
    const char *at;
    char word[64];
    size_t length;
    int boundary, starts; /* whether what is read next, and the word, stand where a word begins */
    struct word_sets *best;
};

static void choose(uint16_t places[WORD_PLACES], const char *word, size_t length, int starts)
{
    size_t groups = length - SIZE + 1;

    for (size_t n = 0; n < WORD_PLACES; n++) {
        places[n] = (uint16_t)group_place(group_at(word + n * (groups - 1) / (WORD_PLACES - 1)));
    }
    if (starts) {
        places[0] = (uint16_t)start_place(group_at(word));
    }
}

/* A long word is rare; of several, each costs a look. */
static int worth(const struct words *set) { return set->weight - (int)set->count / 2; }

/* Keeps the best ones. */
static void offer(struct word_sets *best, const struct words *set)
{
    unsigned n = best->count;

    if (n < WORD_SETS) {
        best->count++;
    } else if (worth(&best->sets[--n]) >= worth(set)) {
        return;
    }
    for (; n > 0 && worth(&best->sets[n - 1]) < worth(set); n--) {
        best->sets[n] = best->sets[n - 1];
    }
    best->sets[n] = *set;
}

static void end_word(struct reading *r)
{
    if (r->length >= SIZE) {
        struct words one = {.count = 1, .weight = 2 * (int)r->length + r->starts};

        choose(one.places[0], r->word, r->length, r->starts);
        offer(r->best, &one);
    }
    r->length = 0;
}

static void add_byte(struct reading *r, char c, int boundary)
{
    if (r->length == sizeof(r->word)) {
        end_word(r);
    }
    if (r->length == 0) {
        r->starts = boundary && of_word(c);
    }
    r->word[r->length++] = c;
}

/* How often what stands before a quantifier comes at least; 0 where it is not understood, too. */
static unsigned long at_least(const char *quantifier)
{
    size_t digits = strspn(quantifier + (*quantifier != '\0'), "0123456789");
    const char *end = quantifier + 1 + digits;

    if (!is_quantifier(*quantifier) || *quantifier == '+') {
        return 1;
    }
    if (*quantifier != '{' || digits == 0) {
        return 0;
    }
    if (*end == ',') {
        end += 1 + strspn(end + 1, "0123456789");
    }
    return *end == '}' ? strtoul(quantifier + 1, NULL, 10) : 0; /* "{3" is three characters */
}

/* A byte of a word, as often as it must come; the word ends before a byte that need not come. */
static void take_byte(struct reading *r, char c, int boundary)
{
    for (unsigned long n = at_least(r->at); n > 0 && n <= sizeof(r->word); n--) {
        add_byte(r, c, boundary);
        boundary = 0;
    }
    if (is_quantifier(*r->at)) {
        end_word(r);
    }
}

static const char *read_alternatives(struct reading before, struct word_sets *found, int depth);

/* A group, or what is looked for ahead, from behind its bracket; 0 where it is not understood. A word before it goes on in each of
 * its alternatives. */
static int take_group(struct reading *r, int depth, int boundary)
{
    struct reading before = *r;
    const char *within = depth == 0 ? NULL : r->at[0] == '?' && r->at[1] == '=' ? r->at + 2 : inside_group(r->at);
    const char *end = skip_group(r->at);
    struct word_sets found = {.count = 0};

    before.at = within;
    before.boundary = boundary;
    if (end == NULL || within == NULL || (is_quantifier(*end) && *end != '+') ||
        read_alternatives(before, &found, depth - 1) == NULL) {
        found.count = 0;
    }
    for (unsigned n = 0; n < found.count; n++) {
        offer(r->best, &found.sets[n]);
    }
    if (found.count == 0 || found.sets[0].count > FEW) {
        end_word(r);
    }
    r->length = 0;
    return (r->at = end) != NULL;
}

/* The next of the pattern, within an alternative; 0 where it is not understood. */
static int take(struct reading *r, int depth)
{
    int boundary = r->boundary;
    char c = *r->at++;

    r->boundary = 0;
    switch (c) {
        case '\\':
            c = *r->at++;
            if (ispunct((unsigned char)c) || c == ' ') {
                take_byte(r, c, boundary);
                return 1;
            }
            end_word(r);
            r->boundary = c == 'b';
            return c != '\0' && strchr("dDwWsSbBAZztnrfhHvV", c) != NULL;
        case '[': end_word(r); return (r->at = skip_class(r->at)) != NULL;
        case '(': return take_group(r, depth, boundary);
        case '{':
            end_word(r);
            r->at += strspn(r->at, "0123456789,");
            r->at += *r->at == '}';
            return 1;
        case '.':
        case '^':
        case '$':
        case '*':
        case '?':
        case '+':
            end_word(r);
            r->boundary = c == '^';
            return 1;
        default: take_byte(r, c, boundary); return 1;
    }
}

static int is_in(const struct words *set, const uint16_t word[WORD_PLACES])
{
    unsigned n = 0;

    while (n < set->count && memcmp(set->places[n], word, sizeof(set->places[n])) != 0) {
        n++;
    }
    return n < set->count;
}

/* Those that are not in it yet; 0 where there is no room for them. */
static int add(struct words *set, const struct words *other)
{
    set->weight = set->count == 0 || other->weight < set->weight ? other->weight : set->weight;
    for (unsigned n = 0; n < other->count; n++) {
        if (is_in(set, other->places[n])) {
            continue;
        }
        if (set->count == WORD_ALTERNATIVES) {
            return 0;
        }
        memcpy(set->places[set->count++], other->places[n], sizeof(other->places[n]));
    }
    return 1;
}

/* The words of all alternatives up to the end of the pattern or of the group: of several, the best of each; none where one has none.
 * NULL where one is not understood. Each begins as what was read before them ends. */
static const char *read_alternatives(struct reading before, struct word_sets *found, int depth)
{
    struct words all = {.count = 0};
    struct reading r = before;

    for (int several = 0, unknown = 0;; several = 1, before.at = r.at + 1) {
        r = before;
        r.best = found;
        found->count = 0;
        while (*r.at != '\0' && *r.at != '|' && *r.at != ')') {
            if (!take(&r, depth)) {
                return NULL;
            }
        }
        end_word(&r);
        if (*r.at != '|' && !several) {
            return r.at;
        }
        unknown |= found->count == 0 || !add(&all, &found->sets[0]);
        if (*r.at != '|') {
            found->count = !unknown;
            found->sets[0] = all;
            return r.at;
        }
    }
}

void words_of(const char *pattern, struct word_sets *found)
{
    struct reading none = {.at = pattern};
    const char *end = read_alternatives(none, found, DEPTH);

    if (end == NULL || *end != '\0') {
        found->count = 0;
    }
}

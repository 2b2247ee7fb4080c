/* Reads a pattern for the words that a text holds that it matches. */
#include "words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "syntax.h"

#define SIZE WORD_GROUP
#define DEPTH 6 /* of groups in which words are looked for */

/* One alternative that is being read: the word that it is in, and the best of its words and of its groups' so far. */
struct reading {
    const char *at;
    char word[64];
    size_t length;
    struct words *best;
};

static void choose(uint16_t places[WORD_PLACES], const char *word, size_t length)
{
    size_t groups = length - SIZE + 1;

    for (size_t n = 0; n < WORD_PLACES; n++) {
        places[n] = (uint16_t)word_place(word + n * (groups - 1) / (WORD_PLACES - 1));
    }
}

/* A long word is rare; of several, each costs a look. */
static size_t worth(const struct words *set) { return set->count == 0 ? 0 : 2 * set->shortest + (set->count == 1); }

static void end_word(struct reading *r)
{
    if (r->length >= SIZE && 2 * r->length + 1 > worth(r->best)) {
        r->best->count = 1;
        r->best->shortest = r->length;
        choose(r->best->places[0], r->word, r->length);
    }
    r->length = 0;
}

static void add_byte(struct reading *r, char c)
{
    if (r->length == sizeof(r->word)) {
        end_word(r);
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
static void take_byte(struct reading *r, char c)
{
    for (unsigned long n = at_least(r->at); n > 0 && n <= sizeof(r->word); n--) {
        add_byte(r, c);
    }
    if (is_quantifier(*r->at)) {
        end_word(r);
    }
}

static const char *read_alternatives(const char *at, struct words *set, int depth);

/* A group, from behind its bracket; 0 where it is not understood. */
static int take_group(struct reading *r, int depth)
{
    const char *within = depth > 0 ? inside_group(r->at) : NULL, *end = skip_group(r->at);
    struct words set;

    if (end != NULL && within != NULL && (!is_quantifier(*end) || *end == '+') &&
        read_alternatives(within, &set, depth - 1) != NULL && worth(&set) > worth(r->best)) {
        *r->best = set;
    }
    return (r->at = end) != NULL;
}

/* The next of the pattern, within an alternative; 0 where it is not understood. */
static int take(struct reading *r, int depth)
{
    char c = *r->at++;

    switch (c) {
        case '\\':
            c = *r->at++;
            if (ispunct((unsigned char)c) || c == ' ') {
                take_byte(r, c);
                return 1;
            }
            end_word(r);
            return c != '\0' && strchr("dDwWsSbBAZztnrfhHvV", c) != NULL;
        case '[': end_word(r); return (r->at = skip_class(r->at)) != NULL;
        case '(': end_word(r); return take_group(r, depth);
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
        case '+': end_word(r); return 1;
        default: take_byte(r, c); return 1;
    }
}

static int add(struct words *set, const struct words *other)
{
    if (other->count == 0 || set->count + other->count > WORD_ALTERNATIVES) {
        return 0;
    }
    memcpy(set->places[set->count], other->places, other->count * sizeof(other->places[0]));
    set->shortest = set->count == 0 || other->shortest < set->shortest ? other->shortest : set->shortest;
    set->count += other->count;
    return 1;
}

/* The words of all alternatives up to the end of the pattern or of the group; NULL where one has none or is not understood. */
static const char *read_alternatives(const char *at, struct words *set, int depth)
{
    struct words best;
    struct reading r = {.at = at, .best = &best};

    set->count = 0;
    for (;;) {
        r.length = best.count = 0;
        while (*r.at != '\0' && *r.at != '|' && *r.at != ')') {
            if (!take(&r, depth)) {
                return NULL;
            }
        }
        end_word(&r);
        if (!add(set, &best)) {
            return NULL;
        }
        if (*r.at != '|') {
            return r.at;
        }
        r.at++;
    }
}

void words_of(const char *pattern, struct words *words)
{
    const char *end = read_alternatives(pattern, words, DEPTH);

    if (end == NULL || *end != '\0') {
        words->count = 0;
    }
}

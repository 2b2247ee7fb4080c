/* The engine tries some seventy regular expressions on each line, few of which match. Nearly all look for words, and a line
 * that does not hold the word cannot match. For each pattern, the groups of three bytes of one such word of each of its
 * alternatives are remembered as bits. The line's own are found once, and a pattern whose bits are not among them is not
 * tried. Letters count in either case, as most patterns do; what is not understood in a pattern leaves it without words, and
 * then it is tried as ever. */
#define _GNU_SOURCE
#include "literals.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define SIZE 3            /* bytes of a group */
#define BITS 8192         /* of a line */
#define PLACES 4          /* groups of a word that are looked for */
#define ALTERNATIVES 96   /* of a pattern; one with more is always tried */
#define TABLE 16384       /* patterns, of which OSSEC and our rules have 3000 */
#define EXTENDED 0x00000080u /* PCRE2_EXTENDED, with which blanks mean nothing. The stand-in is built where there is no pcre2.h */
#define LITERAL 0x02000000u  /* PCRE2_LITERAL */

/* Half a cache line for a pattern of one word, as most are. */
static struct words {
    const void *code;
    unsigned count;
    uint16_t places[PLACES];
    uint16_t (*others)[PLACES]; /* those behind the first */
} known[TABLE];
static unsigned patterns;

static const char *line, *line_end;
static uint64_t in_line[BITS / 64];

static unsigned char folded(char c) { return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : (unsigned char)c; }

static unsigned place(const char *at)
{
    unsigned group = folded(at[0]) | (unsigned)folded(at[1]) << 8 | (unsigned)folded(at[2]) << 16;

    return (group * 2654435761u) >> 19; /* 13 bits */
}

static struct words *slot(const void *code)
{
    size_t at = ((uintptr_t)code >> 4) * 2654435761u % TABLE;

    while (known[at].code != NULL && known[at].code != code) {
        at = (at + 1) % TABLE;
    }
    return &known[at];
}

/* A pattern that is being read: the word that it is in, and the longest of the alternative. */
struct reading {
    const char *at;
    char word[64], longest[64];
    size_t length, best;
};

static void end_word(struct reading *r)
{
    if (r->length > r->best) {
        memcpy(r->longest, r->word, r->length);
        r->best = r->length;
    }
    r->length = 0;
}

/* Over a class, from behind its bracket; NULL where it does not end. */
static const char *skip_class(const char *at)
{
    at += *at == '^';
    at += *at == ']';
    while (*at != '\0' && *at != ']') {
        if (at[0] == '[' && (at[1] == ':' || at[1] == '.' || at[1] == '=')) {
            const char end[] = {at[1], ']', '\0'};

            if ((at = strstr(at + 2, end)) == NULL) {
                return NULL;
            }
            at += 2;
        } else {
            if (at[0] == '\\' && at[1] == 'Q') {
                return NULL;
            }
            at += *at == '\\' && at[1] != '\0' ? 2 : 1;
        }
    }
    return *at == ']' ? at + 1 : NULL;
}

/* Options and verbs change what the rest means; other groups only hide what is in them. */
static int changes_meaning(const char *at)
{
    if (*at != '?') {
        return *at == '*';
    }
    if (at[1] == '#') {
        return 1;
    }
    for (at++; isalpha((unsigned char)*at) || *at == '-' || *at == '^'; at++) {
        if (*at != 'i' && *at != 's' && *at != 'm') {
            return *at != 'P' && *at != 'R';
        }
    }
    return 0;
}

/* Over a group, from behind its bracket; NULL where it does not end or changes what the rest means. */
static const char *skip_group(const char *at)
{
    int depth = 1;

    if (changes_meaning(at)) {
        return NULL;
    }
    while (*at != '\0' && depth > 0) {
        if (*at == '\\') {
            if (at[1] == 'Q' || at[1] == '\0') {
                return NULL;
            }
            at += 2;
        } else if (*at == '[') {
            if ((at = skip_class(at + 1)) == NULL) {
                return NULL;
            }
        } else {
            if (*at == '(' && changes_meaning(at + 1)) {
                return NULL;
            }
            depth += *at == '(' ? 1 : *at == ')' ? -1 : 0;
            at++;
        }
    }
    return depth == 0 ? at : NULL;
}

static int is_quantifier(char c) { return c == '*' || c == '?' || c == '+' || c == '{'; }

/* A byte of a word, unless what follows makes it one that need not be there. */
static void take_byte(struct reading *r, char c)
{
    if (is_quantifier(*r->at) && *r->at != '+') {
        end_word(r);
        return;
    }
    if (r->length == sizeof(r->word)) {
        end_word(r);
    }
    r->word[r->length++] = c;
}

/* The next of the pattern, within an alternative; 0 where it is not understood. */
static int take(struct reading *r)
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
        case '[':
        case '(':
            end_word(r);
            return (r->at = c == '[' ? skip_class(r->at) : skip_group(r->at)) != NULL;
        case '{':
            end_word(r);
            r->at += strspn(r->at, "0123456789,");
            r->at += *r->at == '}';
            return 1;
        case ')': return 0;
        case '.':
        case '^':
        case '$':
        case '*':
        case '?':
        case '+': end_word(r); return 1;
        default: take_byte(r, c); return 1;
    }
}

static void choose(uint16_t places[PLACES], const char *word, size_t length)
{
    size_t groups = length - SIZE + 1;

    for (size_t n = 0; n < PLACES; n++) {
        places[n] = (uint16_t)place(word + n * (groups - 1) / (PLACES - 1));
    }
}

/* Its alternatives' words: how many, 0 where one has none. */
static unsigned read_pattern(const char *pattern, uint16_t places[ALTERNATIVES][PLACES])
{
    struct reading r = {.at = pattern};
    unsigned count = 0;

    for (;;) {
        r.length = r.best = 0;
        while (*r.at != '\0' && *r.at != '|') {
            if (!take(&r)) {
                return 0;
            }
        }
        end_word(&r);
        if (r.best < SIZE || count == ALTERNATIVES) {
            return 0;
        }
        choose(places[count++], r.longest, r.best);
        if (*r.at++ == '\0') {
            return count;
        }
    }
}

void literals_learn(const void *code, const char *pattern, uint32_t options)
{
    uint16_t places[ALTERNATIVES][PLACES];
    struct words *words = slot(code);
    unsigned count = options & (EXTENDED | LITERAL) ? 0 : read_pattern(pattern, places);
    size_t size = count > 1 ? (count - 1) * sizeof(places[0]) : 0;

    if (words->code != NULL) { /* it is gone, and another lies in its place now */
        free(words->others);
        words->others = NULL;
        words->count = 0;
    }
    if (count == 0 || (words->code == NULL && patterns > TABLE / 2) || (size > 0 && (words->others = malloc(size)) == NULL)) {
        return;
    }
    patterns += words->code == NULL;
    words->code = code;
    words->count = count;
    memcpy(words->places, places[0], sizeof(places[0]));
    if (size > 0) {
        memcpy(words->others, places[1], size);
    }
}

void literals_of(const char *text)
{
    line = text;
    if (text == NULL) {
        return;
    }
    line_end = text + strlen(text);
    memset(in_line, 0, sizeof(in_line));
    for (const char *at = text; line_end - at >= SIZE; at++) {
        unsigned bit = place(at);

        in_line[bit / 64] |= 1ull << bit % 64;
    }
}

static int holds(const uint16_t places[PLACES])
{
    for (int n = 0; n < PLACES; n++) {
        if (!(in_line[places[n] / 64] >> places[n] % 64 & 1)) {
            return 0;
        }
    }
    return 1;
}

int literals_may_match(const void *code, const char *text)
{
    const struct words *words;

    if (line == NULL || text < line || text > line_end || (words = slot(code))->count == 0 || holds(words->places)) {
        return 1;
    }
    for (unsigned n = 1; n < words->count; n++) {
        if (holds(words->others[n - 1])) {
            return 1;
        }
    }
    return 0;
}

/* Reads a pattern for what a text begins with that it matches, byte by byte, up to where its parts have no fixed length. */
#include "words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "syntax.h"

/* A byte that may stand there. */
static void allow(uint32_t bytes[8], unsigned char c)
{
    bytes[c / 32] |= 1u << c % 32;
    if (isalpha(c)) { /* in either case, as most patterns have it */
        bytes[c / 32] |= 1u << (c ^ 0x20) % 32;
    }
}

/* A letter behind a backslash, which stands for itself or for bytes of a kind; 0 where it stands for something else. */
static int allow_escaped(uint32_t bytes[8], char c)
{
    int digit = c == 'd' || c == 'w';

    if (ispunct((unsigned char)c)) {
        allow(bytes, (unsigned char)c);
        return 1;
    }
    for (int n = 0; n < 256 && digit; n++) {
        if (isdigit(n) || (c == 'w' && (isalpha(n) || n == '_' || n > 127))) {
            bytes[n / 32] |= 1u << n % 32;
        }
    }
    return digit;
}

/* A class, from behind its bracket up to behind its end; NULL where it is not understood. */
static const char *allow_class(uint32_t bytes[8], const char *at)
{
    if (*at == '^' || *at == ']') {
        return NULL;
    }
    for (; *at != ']'; at++) {
        if (*at == '\0' || *at == '[' || (unsigned char)*at > 127) {
            return NULL;
        }
        if (*at == '\\') {
            if (!allow_escaped(bytes, *++at)) {
                return NULL;
            }
        } else if (at[1] == '-' && at[2] != ']') {
            if (at[2] == '\\' || at[2] == '\0') {
                return NULL;
            }
            for (int n = (unsigned char)at[0]; n <= (unsigned char)at[2]; n++) {
                allow(bytes, (unsigned char)n);
            }
            at += 2;
        } else {
            allow(bytes, (unsigned char)*at);
        }
    }
    return at + 1;
}

/* One part of a pattern that is a byte, of which several may be allowed: the end of it; NULL where it is not understood. */
static const char *allow_one(uint32_t bytes[8], const char *at)
{
    if (*at == '[') {
        return allow_class(bytes, at + 1);
    }
    if (*at == '\\') {
        return allow_escaped(bytes, at[1]) ? at + 2 : NULL;
    }
    if (*at == '\0' || (!isalnum((unsigned char)*at) && strchr("%,:;=<>/@#&~!\"' -_", *at) == NULL)) {
        return NULL;
    }
    allow(bytes, (unsigned char)*at);
    return at + 1;
}

/* How often a part comes by the quantifier behind it, and where that ends; 0 where it need not come. With `more` it may come
 * more often, too. */
static unsigned times(const char **at, int *more)
{
    char *end;
    unsigned long count;

    *more = **at == '+';
    if (!is_quantifier(**at)) {
        return 1;
    }
    if (**at != '{') {
        return **at == '+';
    }
    if (!isdigit((unsigned char)(*at)[1])) {
        return 0;
    }
    count = strtoul(*at + 1, &end, 10);
    *more = *end != '}';
    *at = *end == '}' ? end + 1 : end;
    *at += **at == '?' || **at == '+';
    return count < BEGINNING ? (unsigned)count : BEGINNING;
}

static unsigned read_beginnings(const char *at, int anchored, struct beginning *all);

/* A group that must come: its own beginnings, and no more. */
static unsigned read_group(const char *at, struct beginning *one)
{
    const char *end = skip_group(at + 1), *within = inside_group(at + 1);
    int more;

    if (end == NULL || within == NULL || times(&end, &more) == 0) {
        return 0;
    }
    return read_beginnings(within, 1, one);
}

/* An alternative, from behind its anchor. */
static unsigned read_beginning(const char *at, struct beginning *one)
{
    int more = 0;

    memset(one, 0, sizeof(*one));
    if (*at == '(') {
        return one->length = read_group(at, one);
    }
    while (one->length < BEGINNING && !more) {
        uint32_t bytes[8] = {0};
        unsigned count;

        if ((at = allow_one(bytes, at)) == NULL || (count = times(&at, &more)) == 0) {
            break;
        }
        for (; count > 0 && one->length < BEGINNING; count--) {
            memcpy(one->bytes[one->length++], bytes, sizeof(bytes));
        }
    }
    return one->length;
}

/* The bar behind an alternative, or the end of the pattern or of the group; NULL where it is not understood. */
static const char *next_alternative(const char *at)
{
    while (at != NULL && *at != '\0' && *at != '|' && *at != ')') {
        switch (*at) {
            case '(': at = skip_group(at + 1); break;
            case '[': at = skip_class(at + 1); break;
            case '\\': at += at[1] == '\0' ? 1 : 2; break;
            default: at++;
        }
    }
    return at;
}

static void join(struct beginning *all, const struct beginning *one, int first)
{
    if (first) {
        *all = *one;
        return;
    }
    all->length = one->length < all->length ? one->length : all->length;
    for (unsigned n = 0; n < all->length; n++) {
        for (int word = 0; word < 8; word++) {
            all->bytes[n][word] |= one->bytes[n][word];
        }
    }
}

/* Those of each alternative up to the end of the pattern or of the group; 0 where one is not tied to the text's beginning. */
static unsigned read_beginnings(const char *at, int anchored, struct beginning *all)
{
    struct beginning one;

    for (int first = 1;; first = 0) {
        if ((!anchored && *at++ != '^') || read_beginning(at, &one) == 0 || (at = next_alternative(at)) == NULL) {
            return 0;
        }
        join(all, &one, first);
        if (*at++ != '|') {
            return all->length;
        }
    }
}

void beginning_of(const char *pattern, struct beginning *beginning)
{
    if (strstr(pattern, "\\Q") != NULL || read_beginnings(pattern, 0, beginning) == 0) {
        memset(beginning, 0, sizeof(*beginning));
    }
}

/* Reads a pattern for the bytes that a text begins with that it matches. */
#include "words.h"

#include <ctype.h>
#include <string.h>

#include "syntax.h"

/* Bytes that a text may begin with. */
static void allow(uint8_t bytes[256], unsigned char c)
{
    bytes[c] = 1;
    if (isalpha(c)) { /* in either case, as most patterns have it */
        bytes[c ^ 0x20] = 1;
    }
}

/* A letter behind a backslash, which stands for itself or for bytes of a kind; 0 where it stands for something else. */
static int allow_escaped(uint8_t bytes[256], char c)
{
    int digit = c == 'd' || c == 'w';

    if (ispunct((unsigned char)c)) {
        allow(bytes, (unsigned char)c);
        return 1;
    }
    for (int n = 0; n < 256 && digit; n++) {
        bytes[n] |= isdigit(n) || (c == 'w' && (isalpha(n) || n == '_' || n > 127));
    }
    return digit;
}

/* A class, from behind its bracket up to behind its end; NULL where it is not understood. */
static const char *allow_class(uint8_t bytes[256], const char *at)
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

static int allow_alternatives(uint8_t bytes[256], const char *at, int anchored);

/* What an alternative begins with, from behind its anchor; 0 where it is not understood. */
static int allow_first(uint8_t bytes[256], const char *at)
{
    const char *end = at + 1;

    if (*at == '(') {
        end = skip_group(at + 1);
        if (end == NULL || inside_group(at + 1) == NULL || !allow_alternatives(bytes, inside_group(at + 1), 1)) {
            return 0;
        }
    } else if (*at == '[') {
        if ((end = allow_class(bytes, at + 1)) == NULL) {
            return 0;
        }
    } else if (*at == '\\') {
        if (!allow_escaped(bytes, at[1])) {
            return 0;
        }
        end = at + 2;
    } else if (!isalnum((unsigned char)*at) && (*at == '\0' || strchr("%,:;=<>/@#&~!\"' -_", *at) == NULL)) {
        return 0;
    } else {
        allow(bytes, (unsigned char)*at);
    }
    return !is_quantifier(*end) || *end == '+' || (*end == '{' && end[1] >= '1' && end[1] <= '9');
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

/* Each alternative up to the end of the pattern or of the group; 0 where one is not tied to the text's beginning. */
static int allow_alternatives(uint8_t bytes[256], const char *at, int anchored)
{
    for (;;) {
        if ((!anchored && *at++ != '^') || !allow_first(bytes, at)) {
            return 0;
        }
        if ((at = next_alternative(at)) == NULL) {
            return 0;
        }
        if (*at++ != '|') {
            return 1;
        }
    }
}

int first_bytes_of(const char *pattern, uint8_t bytes[256])
{
    memset(bytes, 0, 256);
    return strstr(pattern, "\\Q") == NULL && allow_alternatives(bytes, pattern, 0);
}

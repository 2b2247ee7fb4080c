/* What a PCRE2 pattern is made of, as far as it can be skipped. */
#include "syntax.h"

#include <ctype.h>
#include <string.h>

const char *skip_class(const char *at)
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

const char *skip_group(const char *at)
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

int is_quantifier(char c) { return c == '*' || c == '?' || c == '+' || c == '{'; }

const char *inside_group(const char *at)
{
    if (*at != '?') {
        return *at == '*' ? NULL : at;
    }
    return at[1] == ':' || at[1] == '|' || at[1] == '>' ? at + 2 : NULL;
}

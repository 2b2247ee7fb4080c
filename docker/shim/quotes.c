/* An application puts in quotes what a client calls itself: user "bob", {"user":"bob"}. A client that calls itself as a line of
 * another application reads, address and all, would have somebody else blamed. So such words are blanked, and if an address is
 * left, it is the one to look for. Words in single quotes are not: few applications escape a quote in these, so a client may end
 * them where it wants. */
#include "quotes.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "address.h"
#include "../intake/text.h"

#define SPACES " \t"

/* What an application calls its own words, behind which it may write more: msg=, "error_message":. */
static const char *const own[] = {"msg", "message", "log", "error", "err", "reason", "event", "output", "detail", "details", "text"};

static int ends_in(const char *name, size_t length, const char *end)
{
    size_t more = strlen(end);

    return length >= more && strncasecmp(name + length - more, end, more) == 0;
}

/* Whether the name before the quote is one of the application's own words. */
static int is_own(const char *line, const char *quote)
{
    const char *end = quote, *name;

    while (end > line && strchr(" \\=:", end[-1]) != NULL) {
        end--;
    }
    if (end == quote) {
        return 0;
    }
    while (end > line && (end[-1] == '"' || end[-1] == '\\')) {
        end--;
    }
    for (name = end; name > line && (is_letter((unsigned char)name[-1]) || name[-1] == '_'); name--) {
    }
    for (size_t n = 0; n < sizeof(own) / sizeof(*own); n++) {
        if (ends_in(name, (size_t)(end - name), own[n])) {
            return 1;
        }
    }
    return 0;
}

/* How many backslashes stand before it: one within a text in quotes, three within one in that. */
static size_t depth(const char *line, const char *quote)
{
    const char *at = quote;

    while (at > line && at[-1] == '\\') {
        at--;
    }
    return (size_t)(quote - at);
}

/* The quote that ends what this one begins, or NULL. */
static char *end_of(const char *line, char *quote)
{
    size_t own_depth = depth(line, quote);
    char *end = quote;

    while ((end = strchr(end + 1, '"')) != NULL && depth(line, end) > own_depth) {
    }
    return end != NULL && depth(line, end) == own_depth ? end : NULL;
}

/* Blanks what stands in quotes from there on, but for what is one word, as an address is, and for the application's own words, in
 * which there may be quotes again. */
static void blank(char *line, char *at, const char *until)
{
    for (; (at = strchr(at, '"')) != NULL && at < until; at++) {
        char *end = end_of(line, at);

        if (end == NULL || end > until) {
            continue;
        }
        if (is_own(line, at)) {
            blank(line, at + 1, end);
        } else if (strcspn(at + 1, SPACES) < (size_t)(end - at - 1)) {
            memset(at + 1, ' ', (size_t)(end - at - 1));
        }
        at = end;
    }
}

int stands_in_quotes_alone(const char *line, const char *address)
{
    char *rest = strdup(line);
    int alone;

    if (rest == NULL) {
        return 0;
    }
    blank(rest, rest, rest + strlen(rest));
    alone = strstr(rest, address) == NULL && addresses_in(rest) != ADDRESS_NONE;
    free(rest);
    return alone;
}

/* Applications that think of a terminal colour what they write, names and addresses too. Whoever hands the line on has the escape
 * byte as it is, has written it in one of several ways, or has left it out, as OSSEC does since 3.8.0. */
#include "colours.h"

#include <string.h>

/* How the escape byte is written: rsyslog, rsyslog in its other way, BSD's syslogd, JSON, Python and C, syslog-ng. */
static const char *const escapes[] = {"\x1b", "#033", "#x1B", "^[", "\\u001b", "\\x1b", "\\033", "\\e"};
#define ESCAPES (sizeof(escapes) / sizeof(*escapes))

static int is_digit(char c) { return c >= '0' && c <= '9'; }

/* The end of "[1;31m", or NULL if it is something else. */
static const char *code_end(const char *at)
{
    at++;
    while (is_digit(*at) || (*at == ';' && is_digit(at[1]))) {
        at++;
    }
    return *at == 'm' ? at + 1 : NULL;
}

/* Without its escape byte, the form may be a time such as [5m]: it has a digit or two, and the bracket is closed. */
static int may_be_time(const char *at, const char *end) { return *end == ']' && at[1] != '0' && end - at <= 4; }

static size_t escape_before(const char *line, const char *at)
{
    for (size_t n = 0; n < ESCAPES; n++) {
        size_t length = strlen(escapes[n]);

        if ((size_t)(at - line) >= length && memcmp(at - length, escapes[n], length) == 0) {
            return length;
        }
    }
    return 0;
}

int without_colours(char *line)
{
    const char *from = line, *at = line;
    char *to = line;

    while ((at = strchr(at, '[')) != NULL) {
        const char *end = is_digit(at[1]) || at[1] == 'm' ? code_end(at) : NULL;
        size_t escape = end != NULL ? escape_before(from, at) : 0;

        if (end == NULL || (escape == 0 && (end - at < 3 || may_be_time(at, end)))) {
            at++;
            continue;
        }
        memmove(to, from, (size_t)(at - escape - from));
        to += at - escape - from;
        from = at = end;
    }
    if (from == line) {
        return 0;
    }
    memmove(to, from, strlen(from) + 1);
    return 1;
}

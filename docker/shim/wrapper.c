/* Whoever sends the files that a container runtime keeps sends each line in the runtime's wrapper:
 *   2026-11-28T07:00:00.123456789Z stdout F LINE              CRI: containerd, CRI-O, Kubernetes
 *   {"log":"LINE\n","stream":"stdout","time":"2026-..."}      Docker's json-file, and what forwarders make of either
 *   {"MESSAGE":"LINE","SYSLOG_IDENTIFIER":"nginx",...}        an entry of systemd's journal
 * Decoders that know how a line begins do not know it in there.
 *
 * The object is not read by a JSON library: that refuses all of it for one escape that is none, such as the half of a surrogate
 * pair that stands for a byte which is no UTF-8, and so a client could hide its line. */
#include "wrapper.h"

#include <string.h>

#include "address.h"

#define STAMP "0123456789-T:.Z+"
#define SHORTEST 20 /* bytes of a stamp */
#define SPACES " \t"

static int is_stream(const char *at) { return strncmp(at, "stdout", 6) == 0 || strncmp(at, "stderr", 6) == 0; }

/* Where the line begins behind "stdout F ", or NULL. The tag says whether it is full or a part; others may follow, behind colons.
 * The stamp is missing where it was read as the header's. */
static char *behind_cri(char *line)
{
    size_t stamp = strspn(line, STAMP);
    char *at = stamp >= SHORTEST && line[10] == 'T' && line[stamp] == ' ' ? line + stamp + 1 : line;

    if (!is_stream(at) || at[6] != ' ' || (at[7] != 'F' && at[7] != 'P') || (at[8] != ' ' && at[8] != ':')) {
        return NULL;
    }
    at = strchr(at + 8, ' ');
    return at != NULL ? at + 1 : NULL;
}

/* The text of the object's member of that name, behind its first quote, or NULL. What looks like a member within another's text is
 * none: a quote in there has a backslash before it. */
static char *text_of(char *object, const char *name)
{
    size_t length = strlen(name);

    for (char *at = strstr(object, name); at != NULL; at = strstr(at + length, name)) {
        char *value = at + length + strspn(at + length, SPACES);

        if (at > object && strchr("{, \t", at[-1]) != NULL && *value == ':') {
            value += 1 + strspn(value + 1, SPACES);
            return *value == '"' ? value + 1 : NULL;
        }
    }
    return NULL;
}

static int is_stream_of(char *object, const char *name)
{
    const char *text = text_of(object, name);

    return text != NULL && is_stream(text) && text[6] == '"';
}

/* Four hexadecimal digits, or -1. */
static int hex(const char *at)
{
    int number = 0;

    for (int n = 0; n < 4; n++) {
        const char *digit = at[n] != '\0' ? strchr("0123456789abcdef", at[n] | 0x20) : NULL;

        if (digit == NULL) {
            return -1;
        }
        number = number * 16 + (int)(digit - "0123456789abcdef");
    }
    return number;
}

static char *in_utf8(char *to, unsigned c)
{
    if (c < 0x80) {
        *to++ = c < ' ' && c != 0x1b ? ' ' : (char)c; /* colours.c knows the escape byte */
        return to;
    }
    if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *to++ = (char)(0xe0 | c >> 12);
        } else {
            *to++ = (char)(0xf0 | c >> 18);
            *to++ = (char)(0x80 | (c >> 12 & 0x3f));
        }
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
    }
    *to++ = (char)(0x80 | (c & 0x3f));
    return to;
}

/* "\uXXXX" or two of them; *at is on the "u", and comes to the last byte. What is none stays as it is. */
static char *code_point(char *to, const char **at)
{
    int c = hex(*at + 1), low;

    if (c < 0) {
        *to++ = '\\';
        *to++ = 'u';
        return to;
    }
    *at += 4;
    if (c >> 10 == 0xd800 >> 10 && (*at)[1] == '\\' && (*at)[2] == 'u' && (low = hex(*at + 3)) >> 10 == 0xdc00 >> 10) {
        c = 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff));
        *at += 6;
    }
    return in_utf8(to, (unsigned)c);
}

/* The end of the text without that of the line: "\n", and perhaps "\r" before it. Behind an even number of backslashes the letter is
 * one of the text. */
static const char *without_newline(const char *text, const char *end)
{
    for (;;) {
        const char *at = end - 1;

        while (at > text && at[-1] == '\\') {
            at--;
        }
        if (end - text < 2 || (end[-1] != 'n' && end[-1] != 'r') || (end - 1 - at) % 2 == 0) {
            return end;
        }
        end -= 2;
    }
}

/* The end of a text, its quote, or NULL. */
static char *end_of(char *text)
{
    while (*text != '"' && *text != '\0') {
        text += text[0] == '\\' && text[1] != '\0' ? 2 : 1;
    }
    return *text == '"' ? text : NULL;
}

static void unescape(char *to, const char *text, const char *end)
{
    for (; text < end; text++) {
        if (*text != '\\') {
            *to++ = *text;
            continue;
        }
        text++;
        if (*text == 'u') {
            to = code_point(to, &text);
        } else if (strchr("nrbf", *text) != NULL) { /* a space instead would part what an attacker wrote as one word */
            *to++ = '\\';
            *to++ = *text;
        } else {
            *to++ = *text == 't' ? '\t' : *text;
        }
    }
    *to = '\0';
}

/* Whether an address stands in the text. */
static int has_address(const char *text, char *end)
{
    enum addresses found;

    *end = '\0';
    found = addresses_in(text);
    *end = '"';
    return found != ADDRESS_NONE;
}

static int is_of_journal(char *line)
{
    return text_of(line, "\"SYSLOG_IDENTIFIER\"") != NULL || text_of(line, "\"_TRANSPORT\"") != NULL ||
           text_of(line, "\"_SYSTEMD_UNIT\"") != NULL;
}

/* A forwarder may put an application's own fields beside its message, and the application into the journal, too, and who did it
 * may be in them: of a message without an address all is left as it is. */
static int unwrap_json(char *line)
{
    int of_runtime = is_stream_of(line, "\"stream\"") || is_stream_of(line, "\"source\"");
    char *text = of_runtime ? text_of(line, "\"log\"") : NULL;
    int is_message = text == NULL;
    char *end;

    if (is_message) {
        text = text_of(line, of_runtime ? "\"message\"" : "\"MESSAGE\"");
    }
    if (text == NULL || (!of_runtime && !is_of_journal(line)) || (end = end_of(text)) == NULL ||
        (is_message && !has_address(text, end))) {
        return 0;
    }
    unescape(line, text, without_newline(text, end));
    return 1;
}

int without_wrapper(char *line)
{
    char *text;

    if (line[0] == '{') {
        return unwrap_json(line);
    }
    if ((line[0] != 's' && (line[0] < '0' || line[0] > '9')) || (text = behind_cri(line)) == NULL) {
        return 0;
    }
    memmove(line, text, strlen(text) + 1);
    return 1;
}

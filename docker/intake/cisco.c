/* Cisco's own header stands before "%FACILITY-5-NAME: ", with or without a header of RFC 3164 in front:
 * [:] [SEQUENCE: ] [HOST: ] [NODE:] [*|.] STAMP [ZONE]: */
#include "parts.h"

#define FAR 120 /* bytes that such a header has at most */

static int is_stamp(struct text at, struct stamp *stamp, struct text *next)
{
    *next = at;
    if (read_stamp(next, stamp)) {
        struct text message = byte_at(*next, 0) == ':' ? without_spaces(behind(*next, 1)) : *next; /* "UTC :  %UC_LOGIN-4" */

        *next = byte_at(message, 0) == '%' ? message : *next;
        return 1;
    }
    return (read_uptime(next, stamp) && byte_at(*next, 0) == '%');
}

/* "*" and "." say that the clock is not set by NTP. */
static struct text without_mark(struct text at, int *sure)
{
    if (byte_at(at, 0) == '*' || byte_at(at, 0) == '.') {
        *sure = 1;
        return behind(at, 1);
    }
    return at;
}

/* "RP/0/RSP0/CPU0:" of IOS XR is glued to the stamp. */
static struct text without_node(struct text at)
{
    struct text word = first_word(at), next;
    const char *colon = memchr(word.from, ':', length_of(word));

    next = colon == NULL ? at : (struct text){colon + 1, at.to};
    return colon != NULL && is_letter(byte_at(next, 0)) && memchr(word.from, '/', length_of(word)) != NULL ? next : at;
}

/* "router1: " in front of the stamp; IOS XR leaves the colon out. */
static struct text without_host(struct text at, struct text *host)
{
    struct text word = first_word(at), next = after_word(at, word), stamp;
    struct stamp ignored;
    int sure;

    stamp = without_node(next);
    if (length_of(word) < 2 || byte_at(word, 0) == '*' || (word.to[-1] != ':' && stamp.from == next.from) ||
        !is_stamp(without_mark(stamp, &sure), &ignored, &(struct text){0, 0})) {
        return at;
    }
    *host = (struct text){word.from, word.to - (word.to[-1] == ':')};
    return next;
}

/* "*spamApTask0: " of a wireless controller, in front of the stamp. */
static struct text without_task(struct text at)
{
    struct text word = first_word(at);

    return length_of(word) > 2 && byte_at(word, 0) == '*' && word.to[-1] == ':' && !is_digit(byte_at(word, 1)) ? after_word(at, word) : at;
}

/* Most lines are none of Cisco's: they have no "%" near their beginning, nor one of the marks. */
static int may_be_cisco(struct text at)
{
    size_t digits = digits_at(at, 0), near = length_of(at) < FAR ? length_of(at) : FAR;

    return memchr(at.from, '%', near) != NULL || byte_at(at, digits) == ':' || byte_at(at, 0) == '*' ||
           byte_at(at, 0) == '.';
}

int read_cisco(struct header *h, struct text *rest)
{
    struct text at = *rest, host = {at.from, at.from}, next, sent = *rest;
    struct stamp stamp;
    size_t digits;
    const char *number_end = at.from;
    int sure = 0;

    if (!may_be_cisco(at)) {
        return 0;
    }
    for (int numbers = 0; numbers < 2; numbers++) { /* one of the message, and one of the sending */
        while (byte_at(at, 0) == ':') { /* of what is left out between them */
            at = without_spaces(behind(at, 1));
        }
        digits = digits_at(at, 0);
        if (digits > 0 && digits <= 10 && byte_at(at, digits) == ':' && byte_at(at, digits + 1) == ' ') {
            number_end = at.from + digits;
            at = without_spaces(behind(at, digits + 1));
            sure = 1;
        }
    }
    if (sure && byte_at(at, 0) == '%') {
        keep_extra(h, (struct text){sent.from, number_end});
        *rest = at;
        return 1;
    }
    at = without_mark(without_node(without_task(without_host(without_task(at), &host))), &sure);
    if (!is_stamp(at, &stamp, &next) || (byte_at(next, 0) != '%' && (!sure || stamp.also_in_messages))) {
        return 0;
    }
    sent.to = stamp.sent.to;
    if (h->has_stamp) {
        keep_extra(h, sent);
    } else {
        stamp.says_more |= sent.from != stamp.sent.from;
        keep_stamp(h, stamp, sent);
    }
    if (length_of(host) > 0 && length_of(h->host) == 0) {
        h->host = host;
    }
    *rest = next;
    return 1;
}

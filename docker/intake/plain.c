/* The headers that most lines have, read in one go: a canonical or an ISO stamp, then "HOST PROGRAM[PID]: ", where no reader
 * of the tables would make anything else of it. What is not surely that is left to them. test_header.py compares both ways. */
#include "parts.h"
#include "dates.h"
#include "tag.h"
#include "write.h"

#define NEAR 120 /* bytes in which Cisco's own header would end */

struct names {
    struct text host, program, pid, message;
    int no_colon;
};

static size_t name_at(struct text t, size_t place)
{
    const char *from = t.from + place, *at = from;

    while (at < t.to && is_name_character((unsigned char)*at)) {
        at++;
    }
    return (size_t)(at - from);
}

/* A year, or a zone, which are no hosts, have no small letter and no dot. */
static int is_plain_host(struct text t)
{
    if (!is_letter(byte_at(t, 0)) && !is_digit(byte_at(t, 0))) {
        return 0;
    }
    for (const char *at = t.from; at < t.to; at++) {
        if ((*at >= 'a' && *at <= 'z') || *at == '.') {
            return !is_letter((unsigned char)t.to[-1]) || !is_priority(t);
        }
    }
    return 0;
}

/* Cisco's header needs a "%", and begins with a stamp, a number, a mark or a node's name. */
static int may_be_cisco(struct text tag, struct text message)
{
    unsigned char c = byte_at(message = without_spaces(message), 0);
    size_t near = length_of(tag) < NEAR ? length_of(tag) : NEAR;

    return (is_digit(c) || c == '*' || c == '.' || c == ':' || has_form(message, "AAA") || has_form(message, "M**r ")) &&
           memchr(tag.from, '%', near) != NULL;
}

/* [HOST] PROGRAM[PID]: , or with a host and without a pid, PROGRAM: . */
static int read_plain_names(struct text t, struct names *n)
{
    struct text tag = t;
    size_t length = name_at(t, 0);

    *n = (struct names){.pid = {t.from, t.from}, .host = {t.from, t.from}};
    if (byte_at(t, length) == ' ') {
        n->host.to = t.from + length;
        if (!is_plain_host(n->host)) {
            return 0;
        }
        tag.from = n->host.to + 1;
        length = name_at(tag, 0);
    }
    if (length == 0 || !is_letter(byte_at(tag, 0))) {
        return 0;
    }
    n->program = (struct text){tag.from, tag.from + length};
    if (byte_at(tag, length) == '[') {
        size_t digits = digits_at(tag, length + 1);

        n->pid = (struct text){n->program.to + 1, n->program.to + 1 + digits};
        length += digits + 2;
        if (digits == 0 || byte_at(tag, length - 1) != ']') {
            return 0;
        }
    } else if (length_of(n->host) == 0 || is_priority(n->program)) {
        return 0;
    }
    if (byte_at(tag, length) == ':') {
        length++;
    } else if (length_of(n->pid) > 0 && length_of(n->host) > 0 && is_letter(byte_at(tag, length + 1))) {
        n->no_colon = 1;
    } else {
        return 0;
    }
    n->message = behind(tag, length + 1);
    return byte_at(tag, length) == ' ' && !may_be_cisco(tag, n->message);
}

int is_canonical(struct text t)
{
    struct names names;

    return has_form(t, "AAA _9 99:99:99 ") && read_plain_names(behind(t, STAMP_LENGTH + 1), &names) &&
           length_of(names.host) > 0;
}

static unsigned two_digits(const char *at)
{
    return (unsigned)(at[0] - '0') * 10 + (unsigned)(at[1] - '0');
}

static int is_time(const char *at)
{
    return two_digits(at) < 24 && two_digits(at + 3) < 60 && two_digits(at + 6) <= 60;
}

static int is_year(const char *at)
{
    return two_digits(at) >= 19 && two_digits(at) <= 21;
}

static int is_digits(const char *at, size_t count)
{
    unsigned others = 0;

    for (size_t i = 0; i < count; i++) {
        others |= (unsigned)(unsigned char)at[i] - '0' > 9;
    }
    return !others;
}

static int is_iso(const char *t)
{
    return t[4] == '-' && t[7] == '-' && t[10] == 'T' && t[13] == ':' && t[16] == ':' && is_digits(t, 4) && is_digits(t + 5, 2) &&
           is_digits(t + 8, 2) && is_digits(t + 11, 2) && is_digits(t + 14, 2) && is_digits(t + 17, 2);
}

/* 2026-11-26T06:00:00[.123](Z|+01:00) */
static int read_plain_iso(struct text rest, struct stamp *stamp)
{
    const char *t = rest.from;
    unsigned month, day;
    size_t length = 19;

    if (length_of(rest) < length || !is_iso(t) || !is_time(t + 11) || !is_year(t)) {
        return 0;
    }
    month = two_digits(t + 5);
    day = two_digits(t + 8);
    if (month < 1 || month > 12 || day < 1 || day > 31) {
        return 0;
    }
    if (byte_at(rest, length) == '.' && is_digit(byte_at(rest, length + 1))) {
        length += 1 + digits_at(rest, length + 1);
    }
    if (byte_at(rest, length) == 'Z') {
        length++;
    } else if (has_form(behind(rest, length), "+99:99 ") || has_form(behind(rest, length), "-99:99 ")) {
        length += 6;
    }
    if (byte_at(rest, length) != ' ') {
        return 0;
    }
    stamp->sent = (struct text){t, t + length};
    memcpy(stamp->canonical, months[month - 1], 3);
    stamp->canonical[3] = ' ';
    stamp->canonical[4] = day < 10 ? ' ' : t[8];
    stamp->canonical[5] = t[9];
    stamp->canonical[6] = ' ';
    memcpy(stamp->canonical + 7, t + 11, 8);
    return 1;
}

static int is_month(const char *at)
{
    for (int i = 0; i < 12; i++) {
        if (memcmp(at, months[i], 3) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Nov 26 [2026] 06:00:00 */
static int read_plain_bsd(struct text rest, struct stamp *stamp)
{
    const char *t = rest.from, *time = t + 7;
    unsigned day;

    if (!has_form(rest, "AAA _9 ") || !is_month(t)) {
        return 0;
    }
    if (has_form(behind(rest, 7), "9999 ") && is_year(time)) {
        time += 5;
    }
    if (!has_form((struct text){time, rest.to}, "99:99:99 ") || !is_time(time)) {
        return 0;
    }
    day = (t[4] == ' ' ? 0 : (unsigned)(t[4] - '0') * 10) + (unsigned)(t[5] - '0');
    if (day < 1 || day > 31) {
        return 0;
    }
    stamp->sent = (struct text){t, time + 8};
    stamp->says_more = time != t + 7;
    memcpy(stamp->canonical, t, 7);
    stamp->canonical[4] = day < 10 && stamp->says_more ? ' ' : t[4];
    memcpy(stamp->canonical + 7, time, 8);
    return 1;
}

int read_plain_stamp(struct text rest, struct stamp *stamp)
{
    *stamp = (struct stamp){.says_more = 1};
    return read_plain_iso(rest, stamp);
}

int read_plain(struct header *h, struct text rest)
{
    struct stamp stamp = {.says_more = 1};
    struct names names;

    if ((!read_plain_bsd(rest, &stamp) && !read_plain_iso(rest, &stamp)) ||
        !read_plain_names((struct text){stamp.sent.to + 1, rest.to}, &names)) {
        return 0;
    }
    keep_stamp(h, stamp, stamp.sent);
    h->host = names.host;
    h->program = names.program;
    h->pid = names.pid;
    h->message = names.message;
    h->no_colon = names.no_colon;
    h->is_plain = 1;
    return 1;
}

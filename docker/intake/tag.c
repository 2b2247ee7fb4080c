/* Who wrote a message: "PROGRAM[PID]: " in front of it. */
#define _GNU_SOURCE
#include "tag.h"

int holds_only(struct text t, const char *others)
{
    for (const char *at = t.from; at < t.to; at++) {
        unsigned char c = (unsigned char)*at;

        if (!is_letter(c) && !is_digit(c) && c < 0x80 && (c == '\0' || strchr(others, c) == NULL)) {
            return 0;
        }
    }
    return length_of(t) > 0;
}

int is_host(struct text word)
{
    return holds_only(word, "-._:%[]()/@");
}

int is_ipv4(struct text word)
{
    int dots = 0;

    for (const char *at = word.from; at < word.to; at++) {
        if (*at == '.' && at > word.from && is_digit((unsigned char)at[-1])) {
            dots++;
        } else if (!is_digit((unsigned char)*at)) {
            return 0;
        }
    }
    return dots == 3 && is_digit((unsigned char)word.to[-1]);
}

int is_ipv6(struct text word)
{
    size_t colons = 0;

    for (const char *at = word.from; at < word.to; at++) {
        if (*at == ':') {
            colons++;
        } else if (!is_digit((unsigned char)*at) && !((*at | 0x20) >= 'a' && (*at | 0x20) <= 'f') && *at != '.') {
            return 0;
        }
    }
    return colons >= 2;
}

struct text address_in_brackets(struct text word, struct text next)
{
    struct text inside = {word.from + 1, word.to - 1}, none = {word.from, word.from};

    if (length_of(word) < 3 || !((*word.from == '[' && word.to[-1] == ']') || (*word.from == '(' && word.to[-1] == ')'))) {
        return none;
    }
    return is_ipv6(inside) || (is_ipv4(inside) && is_tag(next)) ? inside : none;
}

int split_tag(struct text rest, struct tag *tag)
{
    struct text word = first_word(rest);
    const char *open = memchr(word.from, '[', length_of(word)), *close;

    *tag = (struct tag){.message = rest, .pid = {word.to, word.to}};
    if (open != NULL && open > word.from) {
        close = memchr(open, ']', (size_t)(word.to - open));
        if (close == NULL || close == open + 1) {
            return 0;
        }
        tag->program = (struct text){word.from, open};
        tag->pid = (struct text){open + 1, close};
        tag->no_colon = close + 1 == word.to && digits_at(tag->pid, 0) == length_of(tag->pid) && word.to < rest.to;
        if (!holds_only(tag->program, "-._:%()/@+~#,*$&") || (!tag->no_colon && (close + 1 == word.to || close[1] != ':'))) {
            return 0;
        }
        tag->message = (struct text){close + (tag->no_colon ? 1 : 2), rest.to};
        if (tag->no_colon && begins_with(tag->message, " : ")) {
            tag->message = behind(tag->message, 2);
            tag->no_colon = 0;
        }
        if (length_of(tag->pid) == 1 && *tag->pid.from == '-') { /* Logstash, where there is none */
            tag->pid.from = tag->pid.to;
        }
    } else {
        if (length_of(word) < 2 || word.to[-1] != ':') {
            return 0;
        }
        tag->program = (struct text){word.from, word.to - 1};
        if (!holds_only(tag->program, "-._:()/@+") || is_ipv6(word)) {
            return 0;
        }
        tag->message = (struct text){word.to, rest.to};
    }
    if (byte_at(tag->message, 0) == ' ') {
        tag->message = behind(tag->message, 1);
    }
    return 1;
}

int is_tag(struct text rest)
{
    struct tag tag;

    return split_tag(rest, &tag);
}

int is_header(struct text rest, int needs_pid)
{
    struct text word = first_word(rest);
    struct tag tag;

    if (split_tag(rest, &tag)) {
        return length_of(tag.pid) > 0;
    }
    return is_host(word) && split_tag(after_word(rest, word), &tag) && (!needs_pid || length_of(tag.pid) > 0);
}

/* Before a Cisco message and after its host some devices write one more colon: "asa1 : %ASA-4-106023: ". */
static struct text without_colon(struct text rest)
{
    return begins_with(rest, ": %") ? behind(rest, 2) : rest;
}

static const char *const facilities[] = {
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "security",
    "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7", NULL,
};
static const char *const severities[] = {
    "emerg", "panic", "alert", "crit", "critical", "err", "error", "warn", "warning", "notice", "info", "debug", NULL,
};

static int is_one_of(struct text word, const char *const *words)
{
    while (*words != NULL && (**words != byte_at(word, 0) || strlen(*words) != length_of(word) ||
                              memcmp(*words, word.from, length_of(word)) != 0)) {
        words++;
    }
    return *words != NULL;
}

int is_priority(struct text word)
{
    const char *dot; /* AIX writes a colon: "mail:info" */

    if (length_of(word) > 0 && word.to[-1] == ':') {
        word.to--;
    }
    if (length_of(word) > 2 && ((*word.from == '[' && word.to[-1] == ']') || (*word.from == '<' && word.to[-1] == '>'))) {
        word = (struct text){word.from + 1, word.to - 1};
    }
    if (length_of(word) == 0 || ((dot = memchr(word.from, '.', length_of(word))) == NULL &&
                                 (dot = memchr(word.from, ':', length_of(word))) == NULL)) {
        return is_one_of(word, severities);
    }
    return is_one_of((struct text){word.from, dot}, facilities) && is_one_of((struct text){dot + 1, word.to}, severities) ? 2 : 0;
}

struct text without_priority(struct header *h, struct text rest)
{
    struct text word = first_word(rest), next = after_word(rest, word), behind_stamp = next;
    struct stamp ignored;
    struct tag tag;
    int kind = is_priority(word);

    if (kind == 0 || !(split_tag(next, &tag) || (kind == 2 && read_stamp(&behind_stamp, &ignored))) ||
        (kind == 1 && (length_of(tag.pid) == 0 || word.to[-1] == ':'))) {
        return rest;
    }
    keep_extra(h, word);
    return next;
}

static int is_serial_number(struct text word)
{
    for (; word.from < word.to; word.from++) {
        if (!is_digit((unsigned char)*word.from) && (*word.from < 'A' || *word.from > 'F')) {
            return 0;
        }
    }
    return 1;
}

/* In front of the program some write a number of theirs: "00419 auth:" (ProCurve), "80B6023CD7B1D (2026-11-26T05:00:00)
 * firewall:" (WatchGuard), "%$ VDC-1 %$ %AUTHPRIV-3-SYSTEM_MSG:" (Nexus). */
static struct text without_number(struct header *h, struct text rest)
{
    struct text word = first_word(rest), next = after_word(rest, word), number = word;
    size_t length = length_of(word), digits = digits_at(word, 0);

    if (begins_with(rest, "%$ ")) {
        const char *end = memmem(rest.from + 3, length_of(rest) - 3, " %$ %", 5);

        if (end == NULL) {
            return rest;
        }
        keep_extra(h, (struct text){rest.from, end + 3});
        return (struct text){end + 4, rest.to};
    }
    if (length == 13 ? !is_serial_number(word) : length != 5 || digits != 5) {
        return rest;
    }
    if (has_form(next, "(9999-99-99T99:99:99) ")) {
        number.to = next.from + 21;
        next = without_spaces(behind(next, 21));
    }
    if (!is_tag(next)) {
        return rest;
    }
    keep_extra(h, number);
    return next;
}

/* UniFi writes its model and firmware behind the host: "ap1 788a20aabbcc,UAP-AC-Pro-6.5.28: hostapd: ". */
static struct text without_model(struct header *h, struct text rest)
{
    struct text word = first_word(rest);

    if (length_of(word) > 13 && word.to[-1] == ':' && byte_at(word, 12) == ',' &&
        holds_only((struct text){word.from, word.from + 12}, "") &&
        holds_only((struct text){word.from, word.to - 1}, "-._,+")) {
        keep_extra(h, (struct text){word.from, word.to - 1});
        return after_word(rest, word);
    }
    return rest;
}

int split_apart(struct text rest, struct tag *tag)
{
    struct text word = first_word(rest), next = after_word(rest, word), pid = first_word(next);

    if (length_of(pid) < 4 || *pid.from != '[' || !is_digit((unsigned char)pid.from[1]) || pid.to[-1] != ':' ||
        pid.to[-2] != ']' || !holds_only(word, "-._/")) {
        return 0;
    }
    *tag = (struct tag){.program = word, .pid = {pid.from + 1, pid.to - 2}, .message = {pid.to, rest.to}};
    tag->message = byte_at(tag->message, 0) == ' ' ? behind(tag->message, 1) : tag->message;
    return 1;
}

void read_tag(struct header *h, struct text rest)
{
    struct tag tag;

    rest = without_number(h, without_priority(h, without_model(h, without_colon(rest))));
    if (read_cisco(h, &rest)) {
        h->message = rest;
        return;
    }
    h->message = rest;
    if (split_tag(rest, &tag) || split_apart(rest, &tag)) {
        h->program = tag.program;
        h->pid = tag.pid;
        h->no_colon = tag.no_colon;
        h->message = tag.message;
    }
}

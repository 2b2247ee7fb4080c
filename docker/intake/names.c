/* Behind a stamp: [HOST] [PROGRAM[PID]:] MESSAGE. Where the host is left out, the first word is the program's, or the
 * message's. The tables say how that is told, first row first. */
#include "tag.h"

/* A row takes the text, or leaves it to the next, and then may have set nothing but the message. */
typedef int reader(struct header *h, struct text rest);

/* "Message forwarded from aix1: sshd[77]: text" */
static int relayed(struct header *h, struct text rest)
{
    static const char *const words[] = {"Message forwarded from ", "Forwarded from ", NULL};

    for (int i = 0; words[i] != NULL; i++) {
        struct text word;

        if (begins_with(rest, words[i])) {
            word = first_word(behind(rest, strlen(words[i])));
            if (length_of(word) > 1 && word.to[-1] == ':') {
                h->host = (struct text){word.from, word.to - 1};
                read_tag(h, after_word(rest, word));
                return 1;
            }
        }
    }
    return 0;
}

/* What a relay writes itself has the relay's name in front: "relay1 Message forwarded from aix1: ". */
static int relayed_by(struct header *h, struct text rest)
{
    struct text word = first_word(rest);

    if (!is_host(word) || !relayed(h, after_word(rest, word))) {
        return 0;
    }
    keep_extra(h, word);
    return 1;
}

static int has_digit(struct text word)
{
    for (; word.from < word.to; word.from++) {
        if (is_digit((unsigned char)*word.from)) {
            return 1;
        }
    }
    return 0;
}

static int repeated(struct header *h, struct text rest)
{
    h->message = rest;
    return begins_with(rest, "last message repeated ") || begins_with(rest, "message repeated ");
}

int read_inner_header(struct header *h, struct text relay, struct text rest)
{
    struct stamp stamp;

    if (!read_stamp(&rest, &stamp) || !is_header(rest, stamp.also_in_messages)) {
        return 0;
    }
    if (!h->stamp.says_more) {
        keep_extra(h, h->stamp.sent);
    }
    keep_extra(h, relay);
    keep_stamp(h, stamp, stamp.sent);
    read_names(h, rest);
    return 1;
}

static int relayed_without_name(struct header *h, struct text rest)
{
    return read_inner_header(h, (struct text){rest.from, rest.from}, rest);
}

/* busybox, socklog: auth.info sshd[77]: */
static int priority_first(struct header *h, struct text rest)
{
    struct text next = without_priority(h, rest);

    if (next.from == rest.from) {
        return 0;
    }
    read_names(h, next);
    return 1;
}

/* "web1: sshd[77]: text". A word without a digit or a dot is a program: "kernel: audit[77]: text". */
static int host_with_colon(struct header *h, struct text rest)
{
    struct text word = first_word(rest), name = word;
    struct tag tag;

    if (length_of(word) < 2 || word.to[-1] != ':') {
        return 0;
    }
    name.to--;
    if (!holds_only(name, "-._") || (holds_only(name, "-_") && !has_digit(name)) ||
        !split_tag(after_word(rest, word), &tag) || length_of(tag.pid) == 0) {
        return 0;
    }
    h->host = name;
    read_tag(h, after_word(rest, word));
    return 1;
}

/* A message that begins with a stamp of its own: "2026/11/26 06:00:00 [error] 77#77: ..." */
static int own_stamp(struct header *h, struct text rest)
{
    struct stamp ignored;

    h->message = rest;
    return read_stamp(&rest, &ignored);
}

static int tag_alone(struct header *h, struct text rest)
{
    if (!is_tag(rest)) {
        return 0;
    }
    read_tag(h, rest);
    return 1;
}

/* "sua [4711:4712]: text": a word of letters alone is the program's. */
static int tag_apart(struct header *h, struct text rest)
{
    struct text word = first_word(rest);
    struct tag tag;

    if (has_digit(word) || !holds_only(word, "") || !split_apart(rest, &tag)) {
        return 0;
    }
    read_tag(h, rest);
    return 1;
}

/* Of a line that a container printed, as CRI's files have it: "stdout F LINE". */
static int is_stream(struct text word, struct text next)
{
    return length_of(word) == 6 && (begins_with(word, "stdout") || begins_with(word, "stderr")) &&
           (begins_with(next, "F ") || begins_with(next, "P ") || begins_with(next, "F:") || begins_with(next, "P:"));
}

/* What no host begins with or holds: a Cisco message, JSON, a bracket, a quote, NAME=VALUE, CEF:0|..., a topic of RouterOS.
 * Nor is a number alone one. */
static int no_host(struct header *h, struct text rest)
{
    struct text word = first_word(rest), next = after_word(rest, word);

    h->message = rest;
    if (length_of(address_in_brackets(word, next)) > 0) {
        return 0;
    }
    return length_of(word) == 0 || is_stream(word, next) || strchr("%{[<\"':=*#", *word.from) != NULL ||
           !is_host(word) || begins_with(word, "CEF:") ||
           begins_with(word, "LEEF:") || (digits_at(word, 0) == length_of(word) && !is_tag(next));
}

/* The same host, with its domain or without. */
static int is_same_host(struct text one, struct text other)
{
    struct text shorter = length_of(one) < length_of(other) ? one : other;
    struct text longer = length_of(one) < length_of(other) ? other : one;

    return memcmp(longer.from, shorter.from, length_of(shorter)) == 0 &&
           (length_of(longer) == length_of(shorter) || byte_at(longer, length_of(shorter)) == '.');
}

/* "192.0.2.7 web1 sshd[77]: text", "web1 web1.example.com sshd[77]: text": a relay whose template writes who sent it before
 * the sender's own header. */
static int relay_first(struct header *h, struct text rest)
{
    struct text relay = first_word(rest), next = after_word(rest, relay), host = first_word(next);
    int is_word = holds_only(host, "") && !has_digit(host); /* of a text, perhaps */
    struct tag tag;

    if (!(is_ipv4(relay) || is_ipv6(relay) ? !is_word : is_host(relay) && is_same_host(relay, host)) || !is_host(host) ||
        (!is_letter(byte_at(host, 0)) && !is_ipv4(host)) || is_priority(host) || is_tag(next) ||
        !split_tag(after_word(next, host), &tag) || digits_at(tag.pid, 0) == 0) {
        return 0;
    }
    keep_extra(h, relay);
    h->host = host;
    read_tag(h, after_word(next, host));
    return 1;
}

static int host_first(struct header *h, struct text rest)
{
    struct text word = first_word(rest), next = after_word(rest, word), address = address_in_brackets(word, next);

    if (read_inner_header(h, word, next)) {
        return 1;
    }
    if (byte_at(next, 0) == '\t') {
        next = behind(next, 1);
    }
    if (length_of(address) > 0) {
        h->host = address;
    } else if (length_of(word) > 1 || *word.from != '-') {
        h->host = word;
    }
    if (!repeated(h, next)) {
        read_tag(h, next);
    }
    return 1;
}

/* "HOST PROGRAM: text", where the host has a digit, a dot or a dash: "Connection closed: text" is a message. */
static int host_alone(struct header *h, struct text rest)
{
    struct text word = first_word(rest);
    struct tag tag;

    if (!is_host(word) || !split_tag(after_word(rest, word), &tag) ||
        (length_of(tag.pid) == 0 && (!h->has_priority || holds_only(word, "")))) {
        return 0;
    }
    return host_first(h, rest);
}

/* Without PRI and stamp only a pid says that it is a tag: "Error: text" is a line of some file. */
static int sure_tag(struct header *h, struct text rest)
{
    struct tag tag;

    if (!split_tag(rest, &tag) || (length_of(tag.pid) == 0 && !h->has_priority)) {
        return 0;
    }
    read_tag(h, rest);
    return 1;
}

static int message_alone(struct header *h, struct text rest)
{
    h->message = rest;
    return 1;
}

struct row {
    const char *form;
    reader *read;
};

static const struct row behind_stamp[] = {
    {"Message forwarded from HOST: (AIX)", relayed},
    {"RELAY Message forwarded from HOST:", relayed_by},
    {"last message repeated 3 times", repeated},
    {"HOST: %FACILITY-5-NAME: (Cisco)", read_cisco_host},
    {"auth.info PROGRAM[PID]: (busybox, socklog)", priority_first},
    {"HOST: PROGRAM[PID]:", host_with_colon},
    {"PROGRAM[PID]: (Docker, FreeBSD, busybox)", tag_alone},
    {"PROGRAM [PID]: (Yealink)", tag_apart},
    {"HOST PROGRAM PID - [DATA] text (RFC 5424 behind another stamp)", read_rfc5424_names},
    {"203.0.113.60 - - [26/Nov/2026: (nginx)", read_access_log},
    {"STAMP HOST PROGRAM: (a relay)", relayed_without_name},
    {"2026/11/26 06:00:00 [error] (nginx)", own_stamp},
    {"(\"MODEL,MAC,VERSION\") PROGRAM: (UniFi)", read_unifi},
    {"what is no host's name", no_host},
    {"RELAY HOST PROGRAM[PID]:", relay_first},
    {"HOST ...", host_first},
};

static const struct row without_stamp[] = {
    {"Message forwarded from HOST: (AIX)", relayed},
    {"last message repeated 3 times", repeated},
    {"HOST: %FACILITY-5-NAME: (Cisco)", read_cisco_host},
    {"[12345.678901] (netconsole)", read_kernel},
    {"203.0.113.60 - - [26/Nov/2026: (nginx)", read_access_log},
    {"PROGRAM[PID]:", sure_tag},
    {"(\"MODEL,MAC,VERSION\") PROGRAM: (UniFi)", read_unifi},
    {"HOST PROGRAM[PID]:", host_alone},
    {"anything else", message_alone},
};

static void read_rows(const struct row *rows, size_t count, struct header *h, struct text rest)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].read(h, rest)) {
            return;
        }
    }
}

void read_names(struct header *h, struct text rest)
{
    read_rows(behind_stamp, sizeof(behind_stamp) / sizeof(behind_stamp[0]), h, rest);
}

void read_names_alone(struct header *h, struct text rest)
{
    read_rows(without_stamp, sizeof(without_stamp) / sizeof(without_stamp[0]), h, rest);
}

/* Behind a stamp: [HOST] [PROGRAM[PID]:] MESSAGE. Where the host is left out, the first word is the program's, or the
 * message's. The tables say how that is told, first row first. */
#include "parts.h"

static int all_of(struct text t, const char *others)
{
    for (const char *at = t.from; at < t.to; at++) {
        if (!is_letter((unsigned char)*at) && !is_digit((unsigned char)*at) && (*at == '\0' || strchr(others, *at) == NULL)) {
            return 0;
        }
    }
    return length_of(t) > 0;
}

static int is_host(struct text word)
{
    return all_of(word, "-._:%[]()/@") && length_of(word) <= LONGEST_NAME;
}

static int is_ipv6(struct text word)
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

/* The parts of "PROGRAM[PID]: ", "PROGRAM[PID] " and "PROGRAM: "; what is behind them in `message`. */
struct tag {
    struct text program, pid, message;
    int no_colon;
};

static int split_tag(struct text rest, struct tag *tag)
{
    struct text word = first_word(rest);
    const char *open = memchr(word.from, '[', length_of(word)), *close;

    *tag = (struct tag){.message = rest, .pid = {word.to, word.to}};
    if (length_of(word) > 2 * LONGEST_NAME) {
        return 0;
    }
    if (open != NULL && open > word.from) {
        close = memchr(open, ']', (size_t)(word.to - open));
        if (close == NULL || close == open + 1) {
            return 0;
        }
        tag->program = (struct text){word.from, open};
        tag->pid = (struct text){open + 1, close};
        tag->no_colon = close + 1 == word.to && digits_at(tag->pid, 0) == length_of(tag->pid) && word.to < rest.to;
        if (!all_of(tag->program, "-._:%()/@+~#,*$&") || (!tag->no_colon && (close + 1 == word.to || close[1] != ':'))) {
            return 0;
        }
        tag->message = (struct text){close + (tag->no_colon ? 1 : 2), rest.to};
    } else {
        if (length_of(word) < 2 || word.to[-1] != ':') {
            return 0;
        }
        tag->program = (struct text){word.from, word.to - 1};
        if (!all_of(tag->program, "-._:()/@+") || is_ipv6(word)) {
            return 0;
        }
        tag->message = (struct text){word.to, rest.to};
    }
    if (byte_at(tag->message, 0) == ' ') {
        tag->message = behind(tag->message, 1);
    }
    return length_of(tag->program) <= LONGEST_NAME && length_of(tag->pid) <= LONGEST_NAME;
}

int is_tag(struct text rest)
{
    struct tag tag;

    return split_tag(rest, &tag);
}

int is_host_and_tag(struct text rest)
{
    struct text word = first_word(rest);

    return is_tag(rest) || (is_host(word) && is_tag(after_word(rest, word)));
}

/* Before a Cisco message and after its host some devices write one more colon: "asa1 : %ASA-4-106023: ". */
static struct text without_colon(struct text rest)
{
    return begins_with(rest, ": %") ? behind(rest, 2) : rest;
}

/* UniFi writes its model and firmware behind the host: "ap1 788a20aabbcc,UAP-AC-Pro-6.5.28: hostapd: ". */
static struct text without_model(struct header *h, struct text rest)
{
    struct text word = first_word(rest);

    if (length_of(word) > 13 && word.to[-1] == ':' && byte_at(word, 12) == ',' && all_of((struct text){word.from, word.from + 12}, "") &&
        all_of((struct text){word.from, word.to - 1}, "-._,+")) {
        keep_extra(h, (struct text){word.from, word.to - 1});
        return after_word(rest, word);
    }
    return rest;
}

void read_tag(struct header *h, struct text rest)
{
    struct tag tag;

    rest = without_model(h, without_colon(rest));
    if (read_cisco(h, &rest)) {
        h->message = rest;
        return;
    }
    h->message = rest;
    if (split_tag(rest, &tag)) {
        h->program = tag.program;
        h->pid = tag.pid;
        h->no_colon = tag.no_colon;
        h->message = tag.message;
    }
}

/* A row takes the text, or leaves it to the next. */
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

static int repeated(struct header *h, struct text rest)
{
    h->message = rest;
    return begins_with(rest, "last message repeated ") || begins_with(rest, "message repeated ");
}

/* "router1: %SYS-5-CONFIG_I: ", "router1: 2345: *Nov 26 06:00:00: %SYS-5-CONFIG_I: ": here the colon ends a host. */
static int host_of_cisco(struct header *h, struct text rest)
{
    struct text word = first_word(rest), next = after_word(rest, word);
    struct header read = *h;

    if (length_of(word) < 2 || word.to[-1] != ':' || byte_at(word, 0) == '%') {
        return 0;
    }
    word.to--;
    if (!is_host(word) || (byte_at(next, 0) != '%' && !read_cisco(&read, &next))) {
        return 0;
    }
    *h = read;
    h->host = word;
    h->message = next;
    return 1;
}

static int tag_alone(struct header *h, struct text rest)
{
    if (!is_tag(rest)) {
        return 0;
    }
    read_tag(h, rest);
    return 1;
}

/* 203.0.113.60 - bob [26/Nov/2026:06:00:00 +0000] "GET ...": the address is the client's. */
static int access_log(struct header *h, struct text rest)
{
    struct text word = first_word(rest), next = rest;

    for (int words = 0; words < 3; words++) {
        word = first_word(next);
        next = after_word(next, word);
    }
    h->message = rest;
    return byte_at(next, 0) == '[' && digits_at(next, 1) > 0 && byte_at(next, 1 + digits_at(next, 1)) == '/' &&
           is_letter(byte_at(next, 2 + digits_at(next, 1)));
}

/* ("U7PG2,788a20aabbcc,v4.3.20") hostapd: , U7PG2,788a20aabbcc,v4.3.20: hostapd: */
static int unifi(struct header *h, struct text rest)
{
    struct text word = first_word(rest), name = word;
    const char *comma = memchr(word.from, ',', length_of(word));

    if (comma == NULL || (word.to[-1] != ':' && word.to[-1] != ')')) {
        return 0;
    }
    name.from += begins_with(word, "(\"") ? 2 : 0;
    name.to = comma;
    if (!is_host(name) || !is_tag(after_word(rest, word))) {
        return 0;
    }
    h->host = name;
    keep_extra(h, word);
    read_tag(h, after_word(rest, word));
    return 1;
}

/* What no host begins with or holds: a Cisco message, JSON, a bracket, a quote, NAME=VALUE, CEF:0|..., a topic of RouterOS. */
static int no_host(struct header *h, struct text rest)
{
    struct text word = first_word(rest);

    h->message = rest;
    return length_of(word) == 0 || strchr("%{[<\"':=*#", *word.from) != NULL || !is_host(word) || begins_with(word, "CEF:") ||
           begins_with(word, "LEEF:");
}

static int host_first(struct header *h, struct text rest)
{
    struct text word = first_word(rest), next = after_word(rest, word);

    if (length_of(word) > 1 || *word.from != '-') {
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
        (length_of(tag.pid) == 0 && (!h->has_priority || all_of(word, "")))) {
        return 0;
    }
    return host_first(h, rest);
}

/* <6>[12345.678901] text: a kernel's own log, as netconsole sends it. */
static int kernel(struct header *h, struct text rest)
{
    static const char name[] = "kernel";
    struct text at = rest;
    size_t digits;

    if (byte_at(at, 0) != '[') {
        return 0;
    }
    at = without_spaces(behind(at, 1));
    digits = digits_at(at, 0);
    if (digits == 0 || byte_at(at, digits) != '.' || digits_at(at, digits + 1) != 6 || !begins_with(behind(at, digits + 7), "] ")) {
        return 0;
    }
    h->program = (struct text){name, name + sizeof(name) - 1};
    h->message = rest;
    return 1;
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
    {"HOST: %FACILITY-5-NAME: (Cisco)", host_of_cisco},
    {"PROGRAM[PID]: (Docker, FreeBSD, busybox)", tag_alone},
    {"203.0.113.60 - - [26/Nov/2026: (nginx)", access_log},
    {"(\"MODEL,MAC,VERSION\") PROGRAM: (UniFi)", unifi},
    {"what is no host's name", no_host},
    {"HOST ...", host_first},
};

static const struct row without_stamp[] = {
    {"Message forwarded from HOST: (AIX)", relayed},
    {"last message repeated 3 times", repeated},
    {"HOST: %FACILITY-5-NAME: (Cisco)", host_of_cisco},
    {"[12345.678901] (netconsole)", kernel},
    {"203.0.113.60 - - [26/Nov/2026: (nginx)", access_log},
    {"PROGRAM[PID]:", sure_tag},
    {"(\"MODEL,MAC,VERSION\") PROGRAM: (UniFi)", unifi},
    {"HOST PROGRAM[PID]:", host_alone},
    {"anything else", message_alone},
};

static void read_rows(const struct row *rows, size_t count, struct header *h, struct text rest)
{
    for (size_t i = 0; i < count; i++) {
        struct header read = *h;

        if (rows[i].read(&read, rest)) {
            *h = read;
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

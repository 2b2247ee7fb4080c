/* One line of syslog, in whatever form, to the engine's: read it with the first reader of `variants` that knows it, and
 * write what was found. Reading only points into the line. */
#include "header.h"

#include "tag.h"
#include "write.h"

#define BOM "\xef\xbb\xbf"

/* Where the engine itself has a reader for a form, or a decoder that wants all of it, the line goes on as it is, without
 * a header. The forms are as in text.h. */
static const char *const forms_of_the_engine[] = {
    "[AAA AAA _9 99:99:99 9999] ",   /* Apache's error log */
    "AAA AAA _9 99:99:99 9999 9 ",   /* xferlog */
    "99/99-99:99:99.999999 ",        /* Snort */
    "99/99/9999-99:99:99.999999 ",   /* Suricata */
    "1999999999.999 ______ ",        /* Squid */
    "1999999999.999 _______ ",
    "[Time 9999.99.99 99:99:99 ",    /* macOS */
    "ossec: ",
    "HT999: [",                      /* Grandstream */
    NULL,
};

/* What the engine takes for a stamp of syslog. Where there is none, its reader must not be left alone with the line. */
static const char *const stamps_of_the_engine[] = {
    "*** ** **:**:** ", "****-**-** **:**:**,", "****-**-**T**:**:**", "9*** *** ** **:**:** ", "9***:**:**-**:**:**", NULL,
};

static int has_one_of(struct text t, const char *const *forms)
{
    while (*forms != NULL && !has_form(t, *forms)) {
        forms++;
    }
    return *forms != NULL;
}

static int engines_own(struct header *h, struct text rest)
{
    h->message = rest;
    h->as_it_is = has_one_of(rest, forms_of_the_engine);
    return h->as_it_is;
}

static int cisco(struct header *h, struct text rest)
{
    if (!read_cisco(h, &rest)) {
        return 0;
    }
    if (byte_at(rest, 0) == '%') {
        h->message = rest;
    } else {
        read_tag(h, rest);
    }
    return 1;
}

static int stamped(struct header *h, struct text rest)
{
    struct stamp stamp;

    rest = begins_with(rest, ": ") ? behind(rest, 2) : rest; /* some write one more colon behind the PRI */
    if (!read_stamp(&rest, &stamp) || (stamp.also_in_messages && !is_header(rest, !h->has_priority))) {
        return 0;
    }
    keep_stamp(h, stamp, stamp.sent);
    read_names(h, rest);
    return 1;
}

/* "authpriv.info Nov 26 06:00:00 web1 sshd[77]: text": priority in words, by a relay's template */
static int worded(struct header *h, struct text rest)
{
    struct text next = without_priority(h, rest);

    if (next.from == rest.from) {
        return 0;
    }
    if (!stamped(h, next)) {
        read_names_alone(h, next);
    }
    return 1;
}

/* "[2026-11-26T06:00:00Z] web1 sshd[77]: text" */
static int bracketed(struct header *h, struct text rest)
{
    struct text inside, next;
    struct stamp stamp;
    const char *close = memchr(rest.from, ']', length_of(rest));

    if (byte_at(rest, 0) != '[' || close == NULL) {
        return 0;
    }
    inside = (struct text){rest.from + 1, close};
    next = without_spaces((struct text){close + 1, rest.to});
    if (!read_stamp(&inside, &stamp) || length_of(inside) > 0 || !is_header(next, !h->has_priority)) {
        return 0;
    }
    keep_stamp(h, stamp, stamp.sent);
    read_names(h, next);
    return 1;
}

/* Meraki: "1 1650972789.426960608 MX_1 urls src=...", and others that write RFC 5424's version before another header. */
static int versioned(struct header *h, struct text rest)
{
    struct stamp stamp;

    if (byte_at(rest, 0) != '1' || byte_at(rest, 1) != ' ') {
        return 0;
    }
    rest = behind(rest, 2);
    if (!read_stamp(&rest, &stamp) && !read_epoch(&rest, &stamp)) {
        return 0;
    }
    keep_stamp(h, stamp, stamp.sent);
    read_names(h, rest);
    return 1;
}

static int counted_seconds(struct header *h, struct text rest)
{
    struct stamp stamp;

    if (!h->has_priority || !read_epoch(&rest, &stamp)) {
        return 0;
    }
    keep_stamp(h, stamp, stamp.sent);
    read_names(h, rest);
    return 1;
}

static int bare(struct header *h, struct text rest)
{
    read_names_alone(h, rest);
    h->as_it_is = length_of(h->host) == 0 && length_of(h->program) == 0 && !has_one_of(rest, stamps_of_the_engine);
    return 1;
}

static int plain(struct header *h, struct text rest)
{
    return PLAIN && read_plain(h, rest);
}

static const struct {
    const char *form;
    int (*read)(struct header *h, struct text rest);
} variants[] = {
    {"STAMP [HOST] PROGRAM[PID]: text, which may be nothing else", plain},
    {"1 2026-11-26T06:00:00.123Z HOST APP PROCID MSGID [DATA] text (RFC 5424)", read_rfc5424},
    {"1 1650972789.426960608 HOST text (looks like RFC 5424)", versioned},
    {"1650972789.426960608 HOST text", counted_seconds},
    {"what the engine reads itself", engines_own},
    {"2345: *Nov 26 06:00:00.123 UTC: %SYS-5-CONFIG_I: text (Cisco)", cisco},
    {"STAMP [HOST] [PROGRAM[PID]:] text (RFC 3164, in all its variants)", stamped},
    {"auth.info [STAMP] [HOST] PROGRAM[PID]: text", worded},
    {"[STAMP] HOST PROGRAM[PID]: text", bracketed},
    {"[HOST] [PROGRAM[PID]:] text", bare},
};

static int one_priority(struct text *rest)
{
    size_t digits = digits_at(*rest, 1);

    if (byte_at(*rest, 0) != '<' || digits < 1 || digits > 3 || byte_at(*rest, digits + 1) != '>') {
        return 0;
    }
    *rest = without_spaces(behind(*rest, digits + 2));
    return 1;
}

/* A relay that does not know the sender's form writes its own PRI in front of the sender's. */
static int read_priority(struct text *rest)
{
    int there = one_priority(rest);
    struct text second = *rest, behind_stamp;
    struct stamp ignored;

    if (there && one_priority(&second)) {
        behind_stamp = second;
        if (has_form(second, "1 ") || read_stamp(&behind_stamp, &ignored)) {
            *rest = second;
        }
    }
    return there;
}

static struct text trimmed(const char *line, size_t length)
{
    struct text t = {line, line + length};

    while (length_of(t) > 0 && (t.to[-1] == '\n' || t.to[-1] == '\r' || t.to[-1] == '\0')) {
        t.to--;
    }
    if (begins_with(t, BOM)) {
        t = behind(t, strlen(BOM));
    }
    return t;
}

size_t header_host(const char *line, size_t length, const char **host)
{
    struct text rest = trimmed(line, length), word;
    struct stamp stamp;

    read_priority(&rest);
    rest = without_spaces(rest);
    if (byte_at(rest, 0) == '1' && byte_at(rest, 1) == ' ') {
        rest = behind(rest, 2);
    }
    if (!read_stamp(&rest, &stamp)) {
        return 0;
    }
    word = first_word(rest);
    *host = word.from;
    return length_of(word);
}

/* By the tables. */
static void rewrite(struct output *o, struct header h, struct text rest, const char *sender, time_t then)
{
    for (size_t i = 0; !variants[i].read(&h, rest); i++) {
    }
    if (h.as_it_is || engine_reads_it(&h, rest)) {
        write_text(o, rest);
    } else if (h.is_plain) {
        write_plain(o, &h, sender);
        write_extras(o, &h);
    } else {
        write_header(o, &h, sender, then);
        write_text(o, h.message);
        write_extras(o, &h);
    }
}

size_t header_to_engine_at(const char *line, size_t length, const char *sender, char *out, size_t room, int *cut, time_t then)
{
    struct text rest = trimmed(line, length);
    int has_priority = read_priority(&rest);
    struct output o = {out, out + room, 0};

    if (PLAIN && is_canonical(rest)) {
        write_text(&o, rest);
    } else if (length_of(rest = without_spaces(rest)) > 0) {
        rewrite(&o, (struct header){.has_priority = has_priority}, rest, sender, then);
    }
    *cut = o.cut;
    return (size_t)(o.at - out);
}

size_t header_to_engine(const char *line, size_t length, const char *sender, char *out, size_t room, int *cut)
{
    return header_to_engine_at(line, length, sender, out, room, cut, 0);
}

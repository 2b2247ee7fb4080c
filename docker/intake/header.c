/* One line of syslog, in whatever form, to the engine's: read it with the first reader of `variants` that knows it, and
 * write what was found. Reading only points into the line. */
#include "header.h"

#include "parts.h"

#define BOM "\xef\xbb\xbf"

/* Where the engine itself has a reader for a form, or a decoder that wants all of it, the line goes on as it is, without
 * a header. '9' stands for a digit, 'A' for a letter, '_' for a digit or a space. */
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
};

static int has_form(struct text t, const char *form)
{
    size_t i = 0;

    for (; form[i] != '\0'; i++) {
        unsigned char c = byte_at(t, i);

        if (form[i] == '9' ? !is_digit(c) : form[i] == 'A' ? !is_letter(c) : form[i] == '_' ? !is_digit(c) && c != ' ' : c != form[i]) {
            return 0;
        }
    }
    return 1;
}

static int engines_own(struct header *h, struct text rest)
{
    for (size_t i = 0; i < sizeof(forms_of_the_engine) / sizeof(forms_of_the_engine[0]); i++) {
        if (has_form(rest, forms_of_the_engine[i])) {
            h->as_it_is = 1;
            h->message = rest;
            return 1;
        }
    }
    return 0;
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

    if (!read_stamp(&rest, &stamp) || (stamp.also_in_messages && !is_host_and_tag(rest))) {
        return 0;
    }
    keep_stamp(h, stamp, stamp.sent);
    read_names(h, rest);
    return 1;
}

/* Meraki: "1 1650972789.426960608 MX_1 urls src=...", and others that write RFC 5424's version before a header of their own. */
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
    return 1;
}

static const struct {
    const char *form;
    int (*read)(struct header *h, struct text rest);
} variants[] = {
    {"1 2026-11-26T06:00:00.123Z HOST APP PROCID MSGID [DATA] text (RFC 5424)", read_rfc5424},
    {"1 1650972789.426960608 HOST text (looks like RFC 5424)", versioned},
    {"1650972789.426960608 HOST text", counted_seconds},
    {"what the engine reads itself", engines_own},
    {"2345: *Nov 26 06:00:00.123 UTC: %SYS-5-CONFIG_I: text (Cisco)", cisco},
    {"STAMP [HOST] [PROGRAM[PID]:] text (RFC 3164, in all its variants)", stamped},
    {"[HOST] [PROGRAM[PID]:] text", bare},
};

/* What the engine's reader of headers takes for a name's character. */
static int is_name_character(unsigned char c)
{
    return is_letter(c) || (c >= '(' && c <= '9' && c != '*' && c != '+' && c != ',') || c == '@' || c == '_';
}

static int is_pid_character(unsigned char c)
{
    return is_digit(c);
}

static size_t name_at(struct text t, size_t place)
{
    size_t from = place;

    while (is_name_character(byte_at(t, place))) {
        place++;
    }
    return place - from;
}

/* "Nov 26 06:00:00 HOST PROGRAM[PID]: text" already: most lines are, and stay as they are byte for byte. */
static int is_canonical(struct text t)
{
    size_t host, program, at = STAMP_LENGTH + 1;
    struct stamp stamp;
    struct text rest = t;

    if (!has_form(t, "AAA _9 99:99:99 ") || !read_stamp(&rest, &stamp) || stamp.says_more || rest.from != t.from + at) {
        return 0;
    }
    host = name_at(t, at);
    at += host + 1;
    if (host == 0 || host > LONGEST_NAME || byte_at(t, at - 1) != ' ' || (host == 1 && byte_at(t, at - 2) == '-')) {
        return 0;
    }
    program = name_at(t, at);
    if (program == 0 || program > LONGEST_NAME || is_digit(byte_at(t, at))) {
        return 0;
    }
    at += program;
    if (byte_at(t, at) == '[') {
        size_t digits = digits_at(t, at + 1);

        if (digits == 0 || byte_at(t, at + 1 + digits) != ']') {
            return 0;
        }
        at += digits + 2;
        return byte_at(t, at) == ' ' || (byte_at(t, at) == ':' && byte_at(t, at + 1) == ' ');
    }
    return byte_at(t, at) == ':' && byte_at(t, at + 1) == ' ';
}

struct output {
    char *at, *end;
    int cut;
};

static int is_plain(unsigned char c)
{
    return (c >= ' ' && c != 0x7f) || c == '\t';
}

static void put_byte(struct output *o, char c)
{
    if (o->at < o->end && !o->cut) {
        *o->at++ = c;
    } else {
        o->cut = 1;
    }
}

/* Not in the middle of a character of UTF-8. */
static void put_cut(struct output *o, const char *from, size_t room)
{
    size_t kept = room;

    while (kept > 0 && room - kept < 3 && ((unsigned char)from[kept] & 0xc0) == 0x80) {
        kept--;
    }
    o->at = (char *)memcpy(o->at, from, kept) + kept;
    o->cut = 1;
}

/* A control character becomes #ooo: a newline would make two lines of one, and the marks of header.h are ours alone. */
static void put(struct output *o, struct text t)
{
    while (t.from < t.to && !o->cut) {
        const char *from = t.from;
        size_t count, room = (size_t)(o->end - o->at);
        unsigned char c;

        while (t.from < t.to && is_plain((unsigned char)*t.from)) {
            t.from++;
        }
        count = (size_t)(t.from - from);
        if (count > room) {
            put_cut(o, from, room);
            return;
        }
        o->at = (char *)memcpy(o->at, from, count) + count;
        if (t.from == t.to) {
            return;
        }
        if (room - count < 4) {
            o->cut = 1;
            return;
        }
        c = (unsigned char)*t.from++;
        *o->at++ = '#';
        *o->at++ = (char)('0' + (c >> 6));
        *o->at++ = (char)('0' + (c >> 3 & 7));
        *o->at++ = (char)('0' + (c & 7));
    }
}

static void put_name(struct output *o, struct text name, int (*takes)(unsigned char c))
{
    int foreign = 0;

    for (const char *at = name.from; at < name.to && !foreign; at++) {
        foreign = !takes((unsigned char)*at);
    }
    if (foreign) {
        put_byte(o, HEADER_NAME);
    }
    put(o, name);
    if (foreign) {
        put_byte(o, HEADER_NAME);
    }
}

static void put_header(struct output *o, const struct header *h, const char *sender, time_t now)
{
    char stamp[STAMP_LENGTH];

    if (h->has_stamp && !h->stamp.unknown) {
        put(o, (struct text){h->stamp.canonical, h->stamp.canonical + STAMP_LENGTH});
    } else {
        write_stamp(now, stamp);
        put(o, (struct text){stamp, stamp + STAMP_LENGTH});
    }
    put_byte(o, ' ');
    put_name(o, length_of(h->host) > 0 ? h->host : (struct text){sender, sender + strlen(sender)}, is_name_character);
    put_byte(o, ' ');
    if (length_of(h->program) == 0) {
        return;
    }
    put_name(o, h->program, is_name_character);
    if (length_of(h->pid) > 0) {
        put_byte(o, '[');
        put_name(o, h->pid, is_pid_character);
        put_byte(o, ']');
    }
    if (!h->no_colon) {
        put_byte(o, ':');
    }
    put_byte(o, ' ');
}

static void put_extras(struct output *o, const struct header *h)
{
    for (int i = 0; i < h->extra_count; i++) {
        if (i == 0) {
            put_byte(o, HEADER_EXTRA);
            put_byte(o, '|');
        }
        put_byte(o, ' ');
        put(o, h->extras[i]);
    }
}

static int read_priority(struct text *rest)
{
    size_t digits = digits_at(*rest, 1);

    if (byte_at(*rest, 0) != '<' || digits < 1 || digits > 3 || byte_at(*rest, digits + 1) != '>') {
        return 0;
    }
    *rest = without_spaces(behind(*rest, digits + 2));
    return 1;
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

size_t header_to_engine_at(const char *line, size_t length, const char *sender, char *out, size_t room, int *cut, time_t now)
{
    struct text rest = trimmed(line, length);
    struct header h = {.has_priority = read_priority(&rest)};
    struct output o = {out, out + room, 0};

    if (is_canonical(rest)) {
        put(&o, rest);
    } else if (length_of(rest = without_spaces(rest)) > 0) {
        for (size_t i = 0; !variants[i].read(&h, rest); i++) {
        }
        if (!h.as_it_is) {
            put_header(&o, &h, sender, now);
        }
        put(&o, h.message);
        put_extras(&o, &h);
    }
    *cut = o.cut;
    return (size_t)(o.at - out);
}

size_t header_to_engine(const char *line, size_t length, const char *sender, char *out, size_t room, int *cut)
{
    return header_to_engine_at(line, length, sender, out, room, cut, time(NULL));
}

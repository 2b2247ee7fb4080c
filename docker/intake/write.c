#include "write.h"

#include <stdint.h>

#include "header.h"

static int is_pid_character(unsigned char c)
{
    return is_digit(c);
}

static int is_plain(unsigned char c)
{
    return (c >= ' ' && c != 0x7f) || c == '\t';
}

/* Eight bytes at once, as most of a line is plain: whether one is a control character. */
static int has_control(const char *at)
{
    const uint64_t ones = 0x0101010101010101, high = 0x80 * ones;
    uint64_t eight, deleted;

    memcpy(&eight, at, sizeof(eight));
    deleted = eight ^ 0x7f * ones;
    return (((eight - 0x20 * ones) & ~eight) | ((deleted - ones) & ~deleted)) & high ? 1 : 0;
}

static const char *end_of_plain(struct text t)
{
    size_t length = length_of(t);

    while (t.to - t.from >= 8 && !has_control(t.from)) {
        t.from += 8;
    }
    if (length >= 8 && t.to - t.from < 8 && !has_control(t.to - 8)) {
        return t.to;
    }
    while (t.from < t.to && is_plain((unsigned char)*t.from)) {
        t.from++;
    }
    return t.from;
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

void write_text(struct output *o, struct text t)
{
    while (t.from < t.to && !o->cut) {
        const char *from = t.from;
        size_t count, room = (size_t)(o->end - o->at);
        unsigned char c;

        t.from = end_of_plain(t);
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
    foreign &= length_of(name) <= LONGEST_NAME;
    if (foreign) {
        put_byte(o, HEADER_NAME);
    }
    write_text(o, name);
    if (foreign) {
        put_byte(o, HEADER_NAME);
    }
}

void write_plain(struct output *o, const struct header *h, const char *sender)
{
    write_text(o, (struct text){h->stamp.canonical, h->stamp.canonical + STAMP_LENGTH});
    put_byte(o, ' ');
    if (length_of(h->host) == 0) {
        put_name(o, (struct text){sender, sender + strlen(sender)}, is_name_character);
        put_byte(o, ' ');
    }
    write_text(o, (struct text){h->host.from, h->message.to});
}

void write_header(struct output *o, const struct header *h, const char *sender, time_t then)
{
    char stamp[STAMP_LENGTH];

    if (h->has_stamp && !h->stamp.unknown) {
        write_text(o, (struct text){h->stamp.canonical, h->stamp.canonical + STAMP_LENGTH});
    } else {
        write_stamp(then == 0 ? time(NULL) : then, stamp);
        write_text(o, (struct text){stamp, stamp + STAMP_LENGTH});
    }
    put_byte(o, ' ');
    put_name(o, length_of(h->host) > 0 ? h->host : (struct text){sender, sender + strlen(sender)}, is_name_character);
    put_byte(o, ' ');
    if (length_of(h->program) == 0) {
        return;
    }
    if (*h->program.from == '%') {
        write_text(o, h->program); /* Cisco's "%SYS-5-CONFIG_I" as APP-NAME: the decoders look for it in the message */
    } else {
        put_name(o, h->program, is_name_character);
    }
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

void write_extras(struct output *o, const struct header *h)
{
    for (int i = 0; i < h->extra_count; i++) {
        if (i == 0) {
            put_byte(o, HEADER_EXTRA);
            put_byte(o, '|');
        }
        put_byte(o, ' ');
        write_text(o, h->extras[i]);
    }
}

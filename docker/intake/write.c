#include "write.h"

#include "header.h"

static int is_pid_character(unsigned char c)
{
    return is_digit(c);
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

/* What holds no control character. */
static void put_plain(struct output *o, struct text t)
{
    size_t room = (size_t)(o->end - o->at);

    if (o->cut) {
        return;
    }
    if (length_of(t) > room) {
        put_cut(o, t.from, room);
        return;
    }
    o->at = (char *)memcpy(o->at, t.from, length_of(t)) + length_of(t);
}

void write_text(struct output *o, struct text t)
{
    while (t.from < t.to && !o->cut) {
        const char *from = t.from;
        unsigned char c;

        t.from = end_of_plain(t);
        put_plain(o, (struct text){from, t.from});
        if (t.from == t.to || o->cut) {
            return;
        }
        if (o->end - o->at < 4) {
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
    if (!foreign) {
        put_plain(o, name);
    } else if (length_of(name) > LONGEST_NAME) {
        write_text(o, name);
    } else {
        put_byte(o, HEADER_NAME);
        write_text(o, name);
        put_byte(o, HEADER_NAME);
    }
}

void write_plain(struct output *o, const struct header *h, const char *sender)
{
    put_plain(o, (struct text){h->stamp.canonical, h->stamp.canonical + STAMP_LENGTH});
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
        put_plain(o, (struct text){h->stamp.canonical, h->stamp.canonical + STAMP_LENGTH});
    } else {
        write_stamp(then == 0 ? time(NULL) : then, stamp);
        put_plain(o, (struct text){stamp, stamp + STAMP_LENGTH});
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

/* RFC 5424: VERSION SP TIMESTAMP SP HOSTNAME SP APP-NAME SP PROCID SP MSGID SP STRUCTURED-DATA [SP MSG] */
#include "tag.h"

#define BOM "\xef\xbb\xbf"

static int is_nil(struct text word)
{
    return length_of(word) == 1 && *word.from == '-';
}

static int field(struct text *rest, struct text *word)
{
    *word = first_word(*rest);
    if (length_of(*word) == 0) {
        return 0;
    }
    *rest = (struct text){word->to, rest->to};
    if (byte_at(*rest, 0) == ' ') {
        *rest = behind(*rest, 1);
    }
    return 1;
}

/* One or more of [ID NAME="VALUE" ...]: 2 where there is a value, 1 where there is none; a quote, a backslash and a "]" in a value have a backslash before them. */
static int structured_data(struct text *rest)
{
    const char *at = rest->from;
    int quoted = 0, open = 0, values = 0;

    for (; at < rest->to; at++) {
        if (quoted && *at == '\\') {
            at += at + 1 < rest->to;
        } else if (*at == '"' && open) {
            values |= !quoted && at[-1] == '=';
            quoted = !quoted;
        } else if (!quoted && !open) {
            if (*at != '[' || at + 1 == rest->to || at[1] == ']' || at[1] == ' ') {
                break;
            }
            open = 1;
        } else if (!quoted && *at == ']') {
            open = 0;
        }
    }
    if (open || at == rest->from || (at < rest->to && *at != ' ' && !values)) {
        return 0; /* some leave the space behind it out, where it is surely no text */
    }
    rest->from = at;
    return values ? 2 : 1;
}

/* A relay that does not know the header writes its parts into its own, and the whole line behind it: the message is what is
 * behind the inner header, if that names the same program. */
static struct text without_same_header(struct header *h, struct text rest)
{
    struct text next = rest, host;
    struct stamp ignored;
    struct tag tag;

    if ((!is_digit(byte_at(rest, 0)) && !has_form(rest, "AAA ")) || !read_stamp(&next, &ignored)) {
        return rest; /* most messages begin with neither */
    }
    host = first_word(next);
    if (!split_tag(after_word(next, host), &tag) || length_of(tag.program) != length_of(h->program) ||
        memcmp(tag.program.from, h->program.from, length_of(tag.program)) != 0) {
        return rest;
    }
    keep_extra(h, (struct text){rest.from, host.to});
    if (length_of(h->pid) == 0) {
        h->pid = tag.pid;
    }
    return tag.message;
}

/* Behind MSGID. Some senders leave STRUCTURED-DATA out, some write what is none: then it is the message. */
static void data_and_message(struct header *h, struct text message_id, struct text rest)
{
    struct text data = rest;

    if (byte_at(rest, 0) == '-' && (length_of(rest) == 1 || byte_at(rest, 1) == ' ')) {
        rest = behind(rest, 1);
        data = (struct text){rest.from, rest.from};
    } else if (structured_data(&rest)) {
        data.to = rest.from;
    } else {
        data.to = data.from;
    }
    rest = without_spaces(rest);
    if (begins_with(rest, BOM)) {
        rest = without_spaces(behind(rest, strlen(BOM)));
    }
    if (is_nil(message_id)) {
        message_id.from = message_id.to;
    }
    if (length_of(rest) == 0 && length_of(data) > 0) {
        /* All that it says is in the structured data, as in Junos: that is the message. */
        h->message = length_of(message_id) > 0 ? (struct text){message_id.from, data.to} : data;
        return;
    }
    if (length_of(message_id) > 0 && length_of(data) > 0) {
        keep_extra(h, (struct text){message_id.from, data.to});
    } else {
        keep_extra(h, message_id);
        keep_extra(h, data);
    }
    if (length_of(h->program) > 0) {
        h->message = without_same_header(h, rest);
    } else if (!read_inner_header(h, h->host, rest)) {
        read_tag(h, rest);
    }
}

/* Some write "sshd[77]" into APP-NAME, and no PROCID. */
static void split_program(struct header *h)
{
    const char *open = memchr(h->program.from, '[', length_of(h->program));
    size_t digits = open == NULL ? 0 : digits_at((struct text){open + 1, h->program.to}, 0);

    if (digits > 0 && open > h->program.from && open + digits + 2 == h->program.to && open[digits + 1] == ']') {
        h->pid = (struct text){open + 1, open + 1 + digits};
        h->program.to = open;
    }
}

static int timestamp(struct header *h, struct text *rest)
{
    struct text sent = *rest;
    struct stamp stamp;

    if (byte_at(*rest, 0) == '-' && byte_at(*rest, 1) == ' ') {
        *rest = behind(*rest, 2);
        return 1;
    }
    if (PLAIN && read_plain_stamp(sent, &stamp)) {
        *rest = without_spaces((struct text){stamp.sent.to, rest->to});
    } else if (!read_stamp(rest, &stamp) || !is_digit(*sent.from) || stamp.also_in_messages) {
        return 0;
    }
    keep_stamp(h, stamp, stamp.sent);
    return 1;
}

int read_rfc5424(struct header *h, struct text rest)
{
    struct header read;
    struct text process, message_id;
    size_t version = digits_at(rest, 0);

    if (version < 1 || version > 3 || byte_at(rest, version) != ' ') {
        return 0;
    }
    read = *h;
    rest = behind(rest, version + 1);
    if (!timestamp(&read, &rest) || !field(&rest, &read.host) || !field(&rest, &read.program) || !field(&rest, &process) ||
        !field(&rest, &message_id)) {
        return 0;
    }
    /* "1 2026-11-26T06:00:00Z web1 sshd[77]: text" only looks like it, and so do CEF, LEEF and JSON behind the host. */
    if ((read.program.to[-1] == ':' && !is_nil(process)) || begins_with(read.program, "CEF:") ||
        begins_with(read.program, "LEEF:") || *read.program.from == '{') {
        return 0;
    }
    if (is_nil(read.host)) {
        read.host.from = read.host.to;
    } else if (read.host.to[-1] == ':' && !is_ipv6(read.host)) { /* iDRAC: "SN:" */
        read.host.to--;
    }
    if (is_nil(read.program)) {
        read.program.from = read.program.to;
    }
    if (is_nil(process)) {
        split_program(&read);
    } else {
        if (length_of(read.program) > 0) {
            read.pid = process;
        } else {
            keep_extra(&read, process);
        }
    }
    data_and_message(&read, message_id, rest);
    *h = read;
    return 1;
}

int read_rfc5424_names(struct header *h, struct text rest)
{
    struct header read = *h;
    struct text process, message_id, data;
    int kind;

    if (!field(&rest, &read.host) || !field(&rest, &read.program) || !field(&rest, &process) || !field(&rest, &message_id) ||
        read.program.to[-1] == ':' || digits_at(process, 0) != (is_nil(process) ? 0 : length_of(process))) {
        return 0;
    }
    data = rest;
    kind = byte_at(rest, 0) == '-' && byte_at(rest, 1) == ' ' ? -1 : structured_data(&data);
    if (kind != 2 && (kind != -1 || !is_nil(message_id) || is_nil(process))) {
        return 0;
    }
    if (!is_nil(process)) {
        read.pid = process;
    }
    data_and_message(&read, message_id, rest);
    *h = read;
    return 1;
}

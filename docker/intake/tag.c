/* Who wrote a message: "PROGRAM[PID]: " in front of it. */
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

int is_address_in_brackets(struct text word)
{
    return length_of(word) > 2 && *word.from == '[' && word.to[-1] == ']' &&
           is_ipv6((struct text){word.from + 1, word.to - 1});
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

/* Whether the engine reads a line itself as it was read here: then it stays as it is, byte for byte. */
#include "parts.h"
#include "write.h"

#define SHORTEST 34   /* bytes of a line in which the engine looks for any of its other stamps */
#define ISO_LENGTH 25 /* "2026-11-26T06:00:00+01:00" */

/* What the engine takes for a stamp, behind which it looks for the host; the forms are as in text.h. */
static const char *const stamps[] = {
    "AAA _9 99:99:99", "9999-99-99 99:99:99,999", "9999 AAA _9 99:99:99", "9999:99:99-99:99:99", NULL,
};

static int is_stamp_of_the_engine(struct text sent)
{
    size_t length = length_of(sent), fraction;

    for (int i = 0; stamps[i] != NULL; i++) {
        if (length == strlen(stamps[i]) && has_form(sent, stamps[i])) {
            return 1;
        }
    }
    if (length < ISO_LENGTH || !has_form(sent, "9999-99-99T99:99:99")) {
        return 0;
    }
    fraction = length - ISO_LENGTH; /* with its dot */
    return (fraction == 0 || (fraction >= 2 && fraction <= 7)) &&
           (has_form(behind(sent, 19 + fraction), "+99:99") || has_form(behind(sent, 19 + fraction), "-99:99"));
}

static int is_space(struct text line, const char *at)
{
    return at < line.to && *at == ' ';
}

static int holds_names_only(struct text name)
{
    for (const char *at = name.from; at < name.to; at++) {
        if (!is_name_character((unsigned char)*at)) {
            return 0;
        }
    }
    return 1;
}

/* "PROGRAM[PID]: " from there to the message; without a host it takes no pid. */
static int is_tag_of_the_engine(const struct header *h, struct text line, const char *from)
{
    const char *at = h->program.to;

    if (h->program.from != from || !holds_names_only(h->program)) {
        return 0;
    }
    if (length_of(h->pid) > 0) {
        if (length_of(h->host) == 0 || h->pid.from != at + 1 || digits_at(h->pid, 0) != length_of(h->pid)) {
            return 0;
        }
        at = h->pid.to + 1;
    }
    at += h->no_colon ? 0 : 1;
    return is_space(line, at) && h->message.from == at + 1;
}

/* Upstream's decoder for dnsmasq looks for its name in the message: where it finds it, it is left there. */
static int is_named_in_message(const struct header *h)
{
    return length_of(h->host) == 0 && length_of(h->program) == 7 && memcmp(h->program.from, "dnsmasq", 7) == 0;
}

int engine_reads_it(const struct header *h, struct text line)
{
    const char *at = h->stamp.sent.to;

    if (!h->has_stamp || h->stamp.unknown || h->stamp.sent.from != line.from || !is_space(line, at) ||
        h->extra_count > (h->stamp.says_more ? 1 : 0) || !is_stamp_of_the_engine(h->stamp.sent) ||
        length_of(line) < (h->stamp.says_more ? SHORTEST : STAMP_LENGTH + 3)) {
        return 0;
    }
    at++;
    if (length_of(h->host) > 0) {
        if (h->host.from != at || !holds_names_only(h->host) || !is_space(line, h->host.to)) {
            return 0;
        }
        at = h->host.to + 1;
    }
    if (length_of(h->program) == 0) {
        return length_of(h->host) > 0 && h->message.from == at;
    }
    return is_tag_of_the_engine(h, line, at) || (h->program.from == at && is_named_in_message(h));
}

/* The sender's wall clock is kept as it was sent: it is what the sender's other logs say, and the engine takes its own
 * time for the alert anyway. The zone, where there is one, stays behind the message. */
#include "stamp.h"

#include "dates.h"

static void two_digits(char *at, unsigned value, char padding)
{
    at[0] = value < 10 ? padding : (char)('0' + value / 10);
    at[1] = (char)('0' + value % 10);
}

static void canonical_form(const struct moment *m, char *at)
{
    memcpy(at, months[m->month - 1], 3);
    at[3] = at[6] = ' ';
    two_digits(at + 4, m->day, ' ');
    at[9] = at[12] = ':';
    two_digits(at + 7, m->hour, '0');
    two_digits(at + 10, m->minute, '0');
    two_digits(at + 13, m->second, '0');
}

/* A form that has the canonical one's length and says no more is it already: "Nov 06" stays "Nov 06". */
static void keep(struct stamp *stamp, struct text sent, const struct moment *m)
{
    stamp->sent = sent;
    stamp->unknown = 0;
    stamp->says_more = m->more;
    if (!m->more && length_of(sent) == STAMP_LENGTH && byte_at(sent, 6) == ' ') {
        memcpy(stamp->canonical, sent.from, STAMP_LENGTH);
    } else {
        canonical_form(m, stamp->canonical);
    }
}

int read_stamp(struct text *rest, struct stamp *stamp)
{
    for (const struct date_form *form = date_forms; form->read != NULL; form++) {
        struct moment m = {0};
        struct text at = *rest, sent;

        if (!has_form(at, form->begins) || !form->read(&at, &m)) {
            continue;
        }
        sent = (struct text){rest->from, at.from};
        if (ends_with_colon(at) && !form->also_in_messages) {
            at = behind(at, 1);
            m.more = 1; /* so that it is not taken for the canonical form, which has none */
        }
        if (!ends(at)) {
            continue;
        }
        keep(stamp, sent, &m);
        stamp->also_in_messages = form->also_in_messages;
        *rest = without_spaces(at);
        return 1;
    }
    return 0;
}

void write_stamp(time_t moment, char canonical[STAMP_LENGTH])
{
    struct tm now;

    localtime_r(&moment, &now);
    canonical_form(&(struct moment){(unsigned)now.tm_mon + 1, (unsigned)now.tm_mday, (unsigned)now.tm_hour,
                                    (unsigned)now.tm_min, (unsigned)now.tm_sec, 0}, canonical);
}

int read_epoch(struct text *rest, struct stamp *stamp)
{
    size_t digits = digits_at(*rest, 0), fraction = 0;
    time_t seconds = 0;
    struct text at;
    struct tm date;

    if ((digits != 10 && digits != 13) || byte_at(*rest, 0) != '1') {
        return 0;
    }
    if (byte_at(*rest, digits) == '.') {
        fraction = 1 + digits_at(*rest, digits + 1);
    }
    at = behind(*rest, digits + fraction);
    if (!ends(at)) {
        return 0;
    }
    for (size_t i = 0; i < 10; i++) {
        seconds = seconds * 10 + (byte_at(*rest, i) - '0');
    }
    gmtime_r(&seconds, &date); /* a count of seconds has no zone of its own */
    keep(stamp, (struct text){rest->from, at.from},
         &(struct moment){(unsigned)date.tm_mon + 1, (unsigned)date.tm_mday, (unsigned)date.tm_hour, (unsigned)date.tm_min,
                          (unsigned)date.tm_sec, 1});
    stamp->also_in_messages = 0;
    *rest = without_spaces(at);
    return 1;
}

int read_uptime(struct text *rest, struct stamp *stamp)
{
    struct text at = *rest;
    struct moment ignored = {0};

    if (!read_clock(&at, &ignored)) {
        size_t parts = 0, digits;

        for (at = *rest; (digits = digits_at(at, 0)) > 0 && digits < 6 && byte_at(at, digits) != '\0' &&
                         strchr("ywdhms", byte_at(at, digits)) != NULL; parts++) {
            at = behind(at, digits + 1);
        }
        if (parts < 2) {
            return 0;
        }
    }
    if (byte_at(at, 0) != ':' || byte_at(at, 1) != ' ') {
        return 0;
    }
    stamp->sent = (struct text){rest->from, at.from};
    stamp->unknown = stamp->says_more = 1;
    stamp->also_in_messages = 0;
    *rest = without_spaces(behind(at, 1));
    return 1;
}

/* The sender's wall clock is kept as it was sent: it is what the sender's other logs say, and the engine takes its own
 * time for the alert anyway. The zone, where there is one, stays behind the message. */
#include "stamp.h"

#include "time_parts.h"

static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char weekdays[7][4] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

static int ends(struct text rest)
{
    return length_of(rest) == 0 || byte_at(rest, 0) == ' ' || byte_at(rest, 0) == '\t';
}

/* A colon behind the stamp ends it in Cisco's form; the one in "2001:db8::7" is a host's. */
static int ends_with_colon(struct text rest)
{
    return byte_at(rest, 0) == ':' && ends(behind(rest, 1));
}

/* A "Z" alone is a host. */
static int read_offset_apart(struct text *rest)
{
    return !is_letter(byte_at(*rest, 0)) && read_offset(rest);
}

/* Behind the time: a zone that is glued to it or stands apart, a year, in any order. */
static void zone_and_year(struct text *rest, struct moment *m)
{
    if (read_offset(rest)) {
        m->more = 1;
    }
    for (int parts = 0; parts < 2; parts++) {
        struct text next = *rest;

        if (!read_spaces(&next) || (!read_offset_apart(&next) && !read_zone(&next) && !read_year(&next)) ||
            (!ends(next) && !ends_with_colon(next)) || has_form(next, " 9999 ")) { /* two years are none of the stamp's */
            return;
        }
        m->more = 1;
        *rest = next;
    }
}

/* Nov 26 [2026] 06:00:00[.123] [2026] [UTC] */
static int bsd(struct text *rest, struct moment *m)
{
    struct text with_year;

    if (!read_name(rest, months, 12, &m->month) || !read_spaces(rest) || !read_number(rest, 1, 2, 1, 31, &m->day)) {
        return 0;
    }
    read_mark(rest, ',');
    if (!read_spaces(rest)) {
        return 0;
    }
    with_year = *rest;
    if (read_year(&with_year) && read_spaces(&with_year)) {
        *rest = with_year;
        m->more = 1;
    }
    if (!read_clock(rest, m)) {
        return 0;
    }
    zone_and_year(rest, m);
    return 1;
}

/* A month of another language, or a day that there is not: it is the sender's word, and the engine takes it as well. */
static int shape_of_bsd(struct text *rest, struct moment *m)
{
    m->month = m->day = 1;
    if (!has_form(*rest, "AAA _9 99:99:99")) {
        return 0;
    }
    *rest = behind(*rest, STAMP_LENGTH);
    return 1;
}

/* Its second letter is two bytes. */
static int german_march(struct text *rest, struct moment *m)
{
    m->month = 3;
    if (!begins_with(*rest, "M\xc3\xa4r ")) {
        return 0;
    }
    *rest = behind(*rest, 4);
    return read_spaces(rest) && read_number(rest, 1, 2, 1, 31, &m->day) && read_spaces(rest) && read_clock(rest, m);
}

/* 2026 Nov 26 06:00:00 */
static int year_first(struct text *rest, struct moment *m)
{
    m->more = 1;
    return read_year(rest) && read_spaces(rest) && bsd(rest, m);
}

/* Thu Nov 26 06:00:00 2026, as ctime() writes it. */
static int weekday_first(struct text *rest, struct moment *m)
{
    unsigned ignored;

    m->more = 1;
    return read_name(rest, weekdays, 7, &ignored) && (read_mark(rest, ',') || 1) && read_spaces(rest) && bsd(rest, m);
}

static int date_of_numbers(struct text *rest, struct moment *m, char between, const char *before_time)
{
    m->more = 1;
    if (!read_year(rest) || !read_mark(rest, between) || !read_number(rest, 2, 2, 1, 12, &m->month) ||
        !read_mark(rest, between) || !read_number(rest, 2, 2, 1, 31, &m->day) || length_of(*rest) == 0 || strchr(before_time, *rest->from) == NULL ||
        *rest->from == '\0') {
        return 0;
    }
    *rest = behind(*rest, 1);
    if (!read_clock(rest, m)) {
        return 0;
    }
    zone_and_year(rest, m);
    return 1;
}

static int iso(struct text *rest, struct moment *m)
{
    return date_of_numbers(rest, m, '-', "Tt");
}

static int iso_with_space(struct text *rest, struct moment *m)
{
    return date_of_numbers(rest, m, '-', " ");
}

static int sophos(struct text *rest, struct moment *m)
{
    return date_of_numbers(rest, m, ':', "-");
}

static int slashes(struct text *rest, struct moment *m)
{
    return date_of_numbers(rest, m, '/', " ");
}

static const struct {
    const char *form;
    const char *begins; /* as text.h says; most lines have none of most forms */
    int (*read)(struct text *rest, struct moment *m);
    int also_in_messages;
} forms[] = {
    {"Nov 26 06:00:00, Nov 6 06:00:00, Nov 26 2026 06:00:00.123 UTC:", "AAA _", bsd, 0},
    {"2026-11-26T06:00:00.123456+01:00", "9999-99-99", iso, 0},
    {"2026-11-26 06:00:00,123 +0100", "9999-99-99 ", iso_with_space, 1},
    {"2026 Nov 26 06:00:00", "9999 AAA", year_first, 0},
    {"2026:11:26-06:00:00 (Sophos)", "9999:99:99-", sophos, 0},
    {"2026/11/26 06:00:00", "9999/99/99 ", slashes, 1},
    {"Thu Nov 26 06:00:00 2026", "AAA", weekday_first, 1},
    {"Okt 26 06:00:00, Nov 36 06:00:00", "*** ", shape_of_bsd, 0},
    {"Mär 26 06:00:00", "M**r ", german_march, 0},
};

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
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct moment m = {0};
        struct text at = *rest, sent;

        if (!has_form(at, forms[i].begins) || !forms[i].read(&at, &m)) {
            continue;
        }
        sent = (struct text){rest->from, at.from};
        if (ends_with_colon(at) && !forms[i].also_in_messages) {
            at = behind(at, 1);
            m.more = 1; /* so that it is not taken for the canonical form, which has none */
        }
        if (!ends(at)) {
            continue;
        }
        keep(stamp, sent, &m);
        stamp->also_in_messages = forms[i].also_in_messages;
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

/* The forms in which senders write date and time, one reader each. */
#include "dates.h"

const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char weekdays[7][4] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

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

        if (has_form(next, " 9999 AAA _9 99:99:99 ")) { /* a stamp of the message's own, "2026 Nov 26 06:00:00" */
            return;
        }
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

/* 26 Nov [2026] 06:00:00 */
static int day_first(struct text *rest, struct moment *m)
{
    struct text with_year;

    m->more = 1;
    if (!read_number(rest, 1, 2, 1, 31, &m->day) || !read_spaces(rest) || !read_name(rest, months, 12, &m->month) ||
        !read_spaces(rest)) {
        return 0;
    }
    with_year = *rest;
    if (read_year(&with_year) && read_spaces(&with_year)) {
        *rest = with_year;
    }
    if (!read_clock(rest, m)) {
        return 0;
    }
    zone_and_year(rest, m);
    return 1;
}

/* Thu Nov 26 06:00:00 2026, as ctime() writes it; Thu, 26 Nov 2026 06:00:00 +0100, as mail does. */
static int weekday_first(struct text *rest, struct moment *m)
{
    unsigned ignored;

    m->more = 1;
    if (!read_name(rest, weekdays, 7, &ignored) || !(read_mark(rest, ','), read_spaces(rest))) {
        return 0;
    }
    return is_digit(byte_at(*rest, 0)) ? day_first(rest, m) : bsd(rest, m);
}

/* 20261126T060000Z */
static int iso_without_marks(struct text *rest, struct moment *m)
{
    unsigned number[6];

    for (int part = 0; part < 6; part++) {
        static const struct {
            size_t place, digits;
            unsigned least, most;
        } parts[] = {{0, 4, 1900, 2199}, {4, 2, 1, 12}, {6, 2, 1, 31}, {9, 2, 0, 23}, {11, 2, 0, 59}, {13, 2, 0, 60}};
        struct text digits = behind(*rest, parts[part].place);

        digits.to = digits.from + parts[part].digits;
        if (!read_number(&digits, parts[part].digits, parts[part].digits, parts[part].least, parts[part].most, &number[part])) {
            return 0;
        }
    }
    *m = (struct moment){number[1], number[2], number[3], number[4], number[5], 1};
    *rest = behind(*rest, STAMP_LENGTH);
    zone_and_year(rest, m);
    return 1;
}

/* 11/26/2026:06:00:00 GMT, of NetScaler, which may be set to write the day first. */
static int netscaler(struct text *rest, struct moment *m)
{
    unsigned first, second;

    m->more = 1;
    if (!read_number(rest, 2, 2, 1, 31, &first) || !read_mark(rest, '/') || !read_number(rest, 2, 2, 1, 31, &second) ||
        !read_mark(rest, '/') || !read_year(rest) || !read_mark(rest, ':') || !read_clock(rest, m) ||
        (first > 12 && second > 12)) {
        return 0;
    }
    m->month = first > 12 ? second : first;
    m->day = first > 12 ? first : second;
    zone_and_year(rest, m);
    return 1;
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

static int svlogd(struct text *rest, struct moment *m)
{
    return date_of_numbers(rest, m, '-', "_");
}

static int slashes(struct text *rest, struct moment *m)
{
    return date_of_numbers(rest, m, '/', " ");
}

const struct date_form date_forms[] = {
    {"Nov 26 06:00:00, Nov 6 06:00:00, Nov 26 2026 06:00:00.123 UTC:", "AAA _", bsd, 0},
    {"2026-11-26T06:00:00.123456+01:00", "9999-99-99", iso, 0},
    {"2026-11-26 06:00:00,123 +0100", "9999-99-99 ", iso_with_space, 1},
    {"2026-11-26_06:00:00.12345 (svlogd)", "9999-99-99*99", svlogd, 0},
    {"20261126T060000Z", "99999999T999999", iso_without_marks, 0},
    {"11/26/2026:06:00:00 GMT (NetScaler)", "99/99/9999:", netscaler, 0},
    {"26 Nov 2026 06:00:00", "99 AAA ", day_first, 1},
    {"6 Nov 2026 06:00:00", "9 AAA ", day_first, 1},
    {"2026 Nov 26 06:00:00", "9999 AAA", year_first, 0},
    {"2026:11:26-06:00:00 (Sophos)", "9999:99:99-", sophos, 0},
    {"2026/11/26 06:00:00", "9999/99/99 ", slashes, 1},
    {"Thu Nov 26 06:00:00 2026, Thu, 26 Nov 2026 06:00:00 +0100", "AAA", weekday_first, 1},
    {"Okt 26 06:00:00, Nov 36 06:00:00", "*** ", shape_of_bsd, 0},
    {"Mär 26 06:00:00", "M**r ", german_march, 0},
    {NULL, NULL, NULL, 0},
};

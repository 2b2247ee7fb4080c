#include "time_parts.h"

/* Names of zones. Other words of capital letters are hosts: "NAS", "FW". */
#define LONGEST_ZONE 4
static const char zones[][LONGEST_ZONE + 1] = {
    "UTC", "GMT", "CET", "CEST", "WET", "WEST", "EET", "EEST", "BST", "MSK", "IST", "PKT", "SGT", "HKT", "JST", "KST", "PHT",
    "ACST", "ACDT", "AEST", "AEDT", "AWST", "NZST", "NZDT", "EST", "EDT", "CST", "CDT", "MST", "MDT", "PST", "PDT", "AKST",
    "AKDT", "HST", "BRT", "ART", "CLT", "SAST", "EAT", "WAT", "TRT",
};

static int is_zone(const char *from, size_t length)
{
    char name[LONGEST_ZONE + 1] = "";

    if (length < 3 || length > LONGEST_ZONE) {
        return 0;
    }
    memcpy(name, from, length);
    for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
        if (memcmp(name, zones[i], sizeof(name)) == 0) {
            return 1;
        }
    }
    return 0;
}

int read_number(struct text *rest, size_t least_digits, size_t most_digits, unsigned least, unsigned most, unsigned *value)
{
    size_t digits = digits_at(*rest, 0);

    if (digits < least_digits || digits > most_digits) {
        return 0;
    }
    *value = 0;
    for (size_t i = 0; i < digits; i++) {
        *value = *value * 10 + (unsigned)(byte_at(*rest, i) - '0');
    }
    if (*value < least || *value > most) {
        return 0;
    }
    *rest = behind(*rest, digits);
    return 1;
}

int read_mark(struct text *rest, char c)
{
    if (byte_at(*rest, 0) != (unsigned char)c) {
        return 0;
    }
    *rest = behind(*rest, 1);
    return 1;
}

int read_spaces(struct text *rest)
{
    struct text from = *rest;

    *rest = without_spaces(*rest);
    return rest->from > from.from;
}

int read_name(struct text *rest, const char names[][4], unsigned count, unsigned *value)
{
    for (unsigned i = 0; i < count; i++) {
        if ((byte_at(*rest, 0) & ~0x20) == names[i][0] && (byte_at(*rest, 1) | 0x20) == names[i][1] &&
            (byte_at(*rest, 2) | 0x20) == names[i][2]) {
            *value = i + 1;
            *rest = behind(*rest, 3);
            return 1;
        }
    }
    return 0;
}

int read_year(struct text *rest)
{
    unsigned ignored;

    return read_number(rest, 4, 4, 1900, 2199, &ignored);
}

int read_clock(struct text *rest, struct moment *m)
{
    if (!read_number(rest, 1, 2, 0, 23, &m->hour) || !read_mark(rest, ':') ||
        !read_number(rest, 2, 2, 0, 59, &m->minute) || !read_mark(rest, ':') ||
        !read_number(rest, 2, 2, 0, 60, &m->second)) {
        return 0;
    }
    if ((byte_at(*rest, 0) == '.' || byte_at(*rest, 0) == ',') && is_digit(byte_at(*rest, 1))) {
        *rest = behind(*rest, 1 + digits_at(*rest, 1));
        m->more = 1;
    } else if (has_form(*rest, ":999 ")) { /* H3C */
        *rest = behind(*rest, 4);
        m->more = 1;
    } else if ((has_form(*rest, " AM.9") || has_form(*rest, " PM.9")) && m->hour >= 1 && m->hour <= 12) { /* Cisco's CUCM */
        m->hour = m->hour % 12 + (byte_at(*rest, 1) == 'P' ? 12 : 0);
        *rest = behind(*rest, 4 + digits_at(*rest, 4));
        m->more = 1;
    }
    return 1;
}

int read_offset(struct text *rest)
{
    size_t digits;

    if ((byte_at(*rest, 0) | 0x20) == 'z') {
        *rest = behind(*rest, 1);
        return 1;
    }
    if (byte_at(*rest, 0) != '+' && byte_at(*rest, 0) != '-') {
        return 0;
    }
    digits = digits_at(*rest, 1);
    if (digits == 2 && byte_at(*rest, 3) == ':' && digits_at(*rest, 4) == 2) {
        *rest = behind(*rest, 6);
        return 1;
    }
    if (digits != 2 && digits != 4) {
        return 0;
    }
    *rest = behind(*rest, 1 + digits);
    return 1;
}

int read_zone(struct text *rest)
{
    struct text at = *rest;
    int bracket = read_mark(&at, '(');
    size_t length = 0;

    while (byte_at(at, length) >= 'A' && byte_at(at, length) <= 'Z') {
        length++;
    }
    if (is_zone(at.from, length)) {
        at = behind(at, length);
        if (bracket && !read_mark(&at, ')')) {
            return 0;
        }
        if ((byte_at(at, 0) == '+' || byte_at(at, 0) == '-') && is_digit(byte_at(at, 1))) { /* GMT+1 */
            at = behind(at, 1 + digits_at(at, 1));
        }
        *rest = at;
        return 1;
    }
    /* Before a Cisco message the colon says that it is a zone, whatever its name. */
    if (length >= 1 && length <= 5 && begins_with(behind(at, length), ": %")) {
        *rest = behind(at, length);
        return 1;
    }
    return 0;
}

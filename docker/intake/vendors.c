/* Headers of single products that no rule of the others covers. */
#include "tag.h"

/* 203.0.113.60 - bob [26/Nov/2026:06:00:00 +0000] "GET ...": the address is the client's. */
int read_access_log(struct header *h, struct text rest)
{
    struct text word, next = rest;

    for (int words = 0; words < 3; words++) {
        word = first_word(next);
        if (length_of(word) == 0 || word.to[-1] == ':') {
            return 0;
        }
        next = after_word(next, word);
    }
    h->message = rest;
    return byte_at(next, 0) == '[' && digits_at(next, 1) > 0 && byte_at(next, 1 + digits_at(next, 1)) == '/' &&
           is_letter(byte_at(next, 2 + digits_at(next, 1)));
}

/* ("U7PG2,788a20aabbcc,v4.3.20") hostapd: , U7PG2,788a20aabbcc,v4.3.20: hostapd: */
int read_unifi(struct header *h, struct text rest)
{
    struct text word = first_word(rest), name = word;
    const char *comma = memchr(word.from, ',', length_of(word));

    if (comma == NULL || (word.to[-1] != ':' && word.to[-1] != ')')) {
        return 0;
    }
    name.from += begins_with(word, "(\"") ? 2 : 0;
    name.to = comma;
    if (!is_host(name) || !is_tag(after_word(rest, word))) {
        return 0;
    }
    h->host = name;
    keep_extra(h, word);
    read_tag(h, after_word(rest, word));
    return 1;
}

/* <6>[12345.678901] text: a kernel's own log, as netconsole sends it. */
int read_kernel(struct header *h, struct text rest)
{
    static const char name[] = "kernel";
    struct text at = rest;
    size_t digits;

    if (byte_at(at, 0) != '[') {
        return 0;
    }
    at = without_spaces(behind(at, 1));
    digits = digits_at(at, 0);
    if (digits == 0 || byte_at(at, digits) != '.' || digits_at(at, digits + 1) != 6 ||
        !begins_with(behind(at, digits + 7), "] ")) {
        return 0;
    }
    h->program = (struct text){name, name + sizeof(name) - 1};
    h->message = rest;
    return 1;
}

/* "router1: %SYS-5-CONFIG_I: ", "router1: 2345: *Nov 26 06:00:00: %SYS-5-CONFIG_I: ": here the colon ends a host. */
int read_cisco_host(struct header *h, struct text rest)
{
    struct text word = first_word(rest), next = after_word(rest, word);

    if (length_of(word) < 2 || word.to[-1] != ':' || byte_at(word, 0) == '%') {
        return 0;
    }
    word.to--;
    if (!is_host(word) || memchr(word.from + 1, '[', length_of(word) - 1) != NULL ||
        (byte_at(next, 0) != '%' && !read_cisco(h, &next))) {
        return 0;
    }
    h->host = word;
    h->message = next;
    return 1;
}

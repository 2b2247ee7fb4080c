/* A piece of the line that is being read: from its first byte to behind its last. Nothing is copied, nothing is written. */
#ifndef INTAKE_TEXT_H
#define INTAKE_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
    const char *from, *to;
};

static inline size_t length_of(struct text t)
{
    return (size_t)(t.to - t.from);
}

/* The byte at a place, 0 behind the end. */
static inline unsigned char byte_at(struct text t, size_t place)
{
    return place < length_of(t) ? (unsigned char)t.from[place] : 0;
}

static inline int is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static inline int is_letter(unsigned char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static inline struct text behind(struct text t, size_t count)
{
    return (struct text){t.from + (count < length_of(t) ? count : length_of(t)), t.to};
}

static inline int begins_with(struct text t, const char *word)
{
    return length_of(t) >= strlen(word) && memcmp(t.from, word, strlen(word)) == 0;
}

static inline size_t digits_at(struct text t, size_t place)
{
    size_t count = 0;

    while (is_digit(byte_at(t, place + count))) {
        count++;
    }
    return count;
}

/* Whether a text begins with a form: '9' stands for a digit, 'A' for a letter, '_' for a digit or a space, '*' for any. */
static inline int has_form(struct text t, const char *form)
{
    size_t i = 0;

    for (; form[i] != '\0'; i++) {
        unsigned char c = byte_at(t, i);

        if (c == 0 || (form[i] == '9'   ? !is_digit(c)
                       : form[i] == 'A' ? !is_letter(c)
                       : form[i] == '_' ? !is_digit(c) && c != ' '
                                        : form[i] != '*' && c != form[i])) {
            return 0;
        }
    }
    return 1;
}

/* Up to the first space, tab or end. */
static inline struct text first_word(struct text t)
{
    const char *to = t.from;

    while (to < t.to && *to != ' ' && *to != '\t') {
        to++;
    }
    return (struct text){t.from, to};
}

static inline struct text without_spaces(struct text t)
{
    while (byte_at(t, 0) == ' ') {
        t.from++;
    }
    return t;
}

static inline int is_plain(unsigned char c)
{
    return (c >= ' ' && c != 0x7f) || c == '\t';
}

/* Eight bytes at once, as most of a line is plain: whether one is a control character, of which a tab is one. */
static inline int has_control(const char *at)
{
    const uint64_t ones = 0x0101010101010101, high = 0x80 * ones;
    uint64_t eight, deleted;

    memcpy(&eight, at, sizeof(eight));
    deleted = eight ^ 0x7f * ones;
    return (((eight - 0x20 * ones) & ~eight) | ((deleted - ones) & ~deleted)) & high ? 1 : 0;
}

/* Up to the first control character but a tab. */
static inline const char *end_of_plain(struct text t)
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

/* What stands behind a word and the spaces after it. */
static inline struct text after_word(struct text t, struct text word)
{
    return without_spaces((struct text){word.to, t.to});
}

#endif

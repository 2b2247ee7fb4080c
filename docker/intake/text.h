/* A piece of the line that is being read: from its first byte to behind its last. Nothing is copied, nothing is written. */
#ifndef INTAKE_TEXT_H
#define INTAKE_TEXT_H

#include <stddef.h>
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

/* What stands behind a word and the spaces after it. */
static inline struct text after_word(struct text t, struct text word)
{
    return without_spaces((struct text){word.to, t.to});
}

#endif

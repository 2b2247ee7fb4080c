/* Texts and numbers as JSON has them, byte for byte as cJSON prints them, but that no byte that is no UTF-8 is left. */
#define _GNU_SOURCE
#include "json_text.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The bytes of the character that begins there, by table 3-7 of the Unicode standard; 0 if none does. */
static size_t character(const unsigned char *at)
{
    size_t length = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : at[0] < 0xf5 ? 4 : 0;
    unsigned char least = at[0] == 0xe0 ? 0xa0 : at[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char most = at[0] == 0xed ? 0x9f : at[0] == 0xf4 ? 0x8f : 0xbf;

    for (size_t i = 1; i < length; i++) {
        if (at[i] < (i == 1 ? least : 0x80) || at[i] > (i == 1 ? most : 0xbf)) {
            return 0;
        }
    }
    return length;
}

/* Eight bytes at once: whether one is a quote, a backslash, a control character or not ASCII. */
static int has_special(const char *at)
{
    const uint64_t ones = 0x0101010101010101, high = 0x80 * ones;
    uint64_t eight, quote, backslash;

    memcpy(&eight, at, sizeof(eight));
    quote = eight ^ '"' * ones;
    backslash = eight ^ '\\' * ones;
    return ((eight - 0x20 * ones) | (quote - ones) | (backslash - ones) | eight) & high ? 1 : 0;
}

static char *put_escaped(char *to, unsigned char c)
{
    static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt", digits[] = "0123456789abcdef";

    for (const char *pair = letters; *pair != '\0'; pair += 2) {
        if ((unsigned char)pair[0] == c) {
            *to++ = '\\';
            *to++ = pair[1];
            return to;
        }
    }
    to = mempcpy(to, "\\u00", 4);
    *to++ = digits[c >> 4];
    *to++ = digits[c & 15];
    return to;
}

size_t json_quoted(char *begin, const char *from, size_t length)
{
    const char *end = from + length;
    char *to = begin;

    *to++ = '"';
    while (from < end) {
        unsigned char c = (unsigned char)*from;
        size_t bytes;

        if (end - from >= 8 && !has_special(from)) {
            to = mempcpy(to, from, 8);
            from += 8;
        } else if (c >= ' ' && c < 0x80 && c != '"' && c != '\\') {
            *to++ = (char)c;
            from++;
        } else if (c >= 0x80) {
            bytes = character((const unsigned char *)from);
            to = mempcpy(to, bytes ? from : "\xef\xbf\xbd", bytes ? bytes : 3);
            from += bytes ? bytes : 1;
        } else {
            to = put_escaped(to, c);
            from++;
        }
    }
    *to++ = '"';
    return (size_t)(to - begin);
}

/* Nearly every number is whole, and printf takes ten times as long. */
static int print_whole(char *to, long long number)
{
    unsigned long long left = number < 0 ? -(unsigned long long)number : (unsigned long long)number;
    char digits[20], *at = digits + sizeof(digits);
    int length = 0;

    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (number < 0) {
        to[length++] = '-';
    }
    memcpy(to + length, at, (size_t)(digits + sizeof(digits) - at));
    return length + (int)(digits + sizeof(digits) - at);
}

int json_number(char *to, size_t size, double number)
{
    int length;

    if (!isfinite(number)) {
        return snprintf(to, size, "null");
    }
    if (number == (double)(long long)number && fabs(number) < 1e15) {
        return print_whole(to, (long long)number);
    }
    length = snprintf(to, size, "%1.15g", number);
    return strtod(to, NULL) == number ? length : snprintf(to, size, "%1.17g", number);
}

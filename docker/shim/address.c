#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "address.h"
#include "../intake/text.h"

#define MAPPED "::ffff:"

static int is_address(const char *text)
{
    struct in6_addr room;

    return inet_pton(AF_INET, text, &room) == 1 || inet_pton(AF_INET6, text, &room) == 1;
}

/* How many bytes an address may be of; strspn() makes a table of all bytes at each call. */
static size_t of_address(const char *text)
{
    size_t length = 0;

    while ((text[length] >= '.' && text[length] <= ':' && text[length] != '/') || isxdigit((unsigned char)text[length])) {
        length++;
    }
    return length;
}

/* As most are: an IPv4 address, with nothing behind it. */
static int is_plain_ipv4(const char *text)
{
    char last = '.';

    while (is_digit((unsigned char)*text) || *text == '.') {
        last = *text++;
    }
    return *text == '\0' && last != '.';
}

void plain_address(char *text)
{
    char own[INET6_ADDRSTRLEN + 1];
    const char *from = text + (*text == '[');
    size_t length;

    if (is_plain_ipv4(text)) {
        return;
    }
    if (strncasecmp(from, MAPPED, sizeof(MAPPED) - 1) == 0 && strchr(from, '.') != NULL) {
        from += sizeof(MAPPED) - 1;
    }
    length = of_address(from);
    /* A port stands behind a colon, which is none of an IPv4 address. */
    if (memchr(from, '.', length) != NULL && memchr(from, ':', length) != NULL) {
        length = strcspn(from, ":");
    }
    while (length > 0 && (from[length - 1] == '.' || (from[length - 1] == ':' && length > 1 && from[length - 2] != ':'))) {
        length--;
    }
    if (length > 0 && from == text && text[length] == '\0') {
        return; /* it is plain, if it is one */
    }
    /* Letters behind it make it a name. */
    if (length == 0 || length >= sizeof(own) || strspn(from + length, "]:.,;)'\"0123456789") != strlen(from + length)) {
        return;
    }
    memcpy(own, from, length);
    own[length] = '\0';
    if (is_address(own)) {
        memcpy(text, own, length + 1);
    }
}

/* Whether the colon is one of an IPv6 address, and how far what it is in goes. */
static int in_ipv6(const char *colon, size_t *length)
{
    size_t colons = 0, i;

    for (i = 0; colon[i] == ':' || isxdigit((unsigned char)colon[i]); i++) {
        colons += colon[i] == ':';
        if (colons == 7 || (colon[i] == ':' && colon[i + 1] == ':')) {
            return 1;
        }
    }
    *length = i;
    return 0;
}

/* Whether the point is the first of three behind each of which up to three digits stand, and how far these go. */
static int in_ipv4(const char *point, const char *text, size_t *length)
{
    const char *at = point;

    if (point == text || !is_digit(point[-1])) {
        return 0;
    }
    for (int points = 1; points <= 3; points++) {
        size_t digits = 0;

        while (is_digit(at[1 + digits])) {
            digits++;
        }
        if (digits == 0 || digits > 3 || (points < 3 && at[1 + digits] != '.')) {
            return 0;
        }
        at += 1 + digits;
    }
    while (is_digit(*at) || *at == '.') {
        at++;
    }
    *length = (size_t)(at - point);
    return 1;
}

enum addresses addresses_in(const char *text)
{
    enum addresses found = ADDRESS_NONE;
    size_t length;

    for (const char *at = strchr(text, ':'); at != NULL; at = strchr(at + length, ':')) {
        if (in_ipv6(at, &length)) {
            return ADDRESS_SOME;
        }
    }
    for (const char *at = strchr(text, '.'); at != NULL; at = strchr(at + length, '.')) {
        length = 1;
        if (in_ipv4(at, text, &length)) {
            if (found != ADDRESS_NONE) {
                return ADDRESS_SOME;
            }
            found = ADDRESS_IPV4;
        }
    }
    return found;
}

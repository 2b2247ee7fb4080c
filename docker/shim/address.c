#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "address.h"

#define MAPPED "::ffff:"

static int is_address(const char *text)
{
    struct in6_addr room;

    return inet_pton(AF_INET, text, &room) == 1 || inet_pton(AF_INET6, text, &room) == 1;
}

void plain_address(char *text)
{
    char own[INET6_ADDRSTRLEN + 1];
    const char *from = text + (*text == '[');
    size_t length;

    if (strncasecmp(from, MAPPED, sizeof(MAPPED) - 1) == 0 && strchr(from, '.') != NULL) {
        from += sizeof(MAPPED) - 1;
    }
    length = strspn(from, "0123456789abcdefABCDEF:.");
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

int has_address(const char *text)
{
    const unsigned char *at;

    for (at = (const unsigned char *)text; *at != '\0'; at++) {
        if (*at == '.' && at > (const unsigned char *)text && isdigit(at[-1]) && isdigit(at[1])) {
            size_t digits = strspn((const char *)at + 1, "0123456789");

            if (digits <= 3 && at[1 + digits] == '.' && isdigit(at[2 + digits])) {
                return 1;
            }
        } else if (*at == ':') {
            size_t colons = 0, i;

            for (i = 0; at[i] == ':' || isxdigit(at[i]); i++) {
                colons += at[i] == ':';
                if (colons == 7 || (at[i] == ':' && at[i + 1] == ':')) {
                    return 1;
                }
            }
            at += i - 1;
        }
    }
    return 0;
}

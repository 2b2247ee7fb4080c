#define _GNU_SOURCE
#include "proxy.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define FIXED 16 /* bytes of version 2's header before the addresses */
#define LOCAL 0x20
#define PROXY 0x21

static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";

static void keep_ipv4(struct proxied *to, const void *bytes)
{
    to->named = 1;
    memset(&to->address, 0, sizeof(to->address));
    to->address.s6_addr[10] = to->address.s6_addr[11] = 0xff;
    memcpy(to->address.s6_addr + 12, bytes, 4);
}

/* A family with its addresses, which must be whole; what stands behind them is not needed. */
static int keep(struct proxied *to, unsigned char family, const char *addresses, size_t length)
{
    switch (family) {
        case 0x00: case 0x31: case 0x32: /* none, and UNIX sockets */
            return 1;
        case 0x11: case 0x12:
            if (length < 12) {
                return 0;
            }
            keep_ipv4(to, addresses);
            return 1;
        case 0x21: case 0x22:
            if (length < 36) {
                return 0;
            }
            to->named = 1;
            memcpy(&to->address, addresses, sizeof(to->address));
            return 1;
        default:
            return 0;
    }
}

static long read_version_2(const char *bytes, size_t length, struct proxied *to)
{
    size_t same = length < sizeof(signature) ? length : sizeof(signature), rest, needed;

    if (memcmp(bytes, signature, same) != 0) {
        return -1;
    }
    if (length < FIXED) {
        return 0;
    }
    rest = (size_t)(unsigned char)bytes[14] << 8 | (unsigned char)bytes[15];
    if (bytes[12] == LOCAL) {
        return (long)(FIXED + rest);
    }
    if (bytes[12] != PROXY) {
        return -1;
    }
    needed = rest < 36 ? rest : 36;
    if (length < FIXED + needed) {
        return 0;
    }
    return keep(to, (unsigned char)bytes[13], bytes + FIXED, rest) ? (long)(FIXED + rest) : -1;
}

static int is_port(const char *text)
{
    return text != NULL && strlen(text) >= 1 && strlen(text) <= 5 && strspn(text, "0123456789") == strlen(text) &&
           (text[0] != '0' || text[1] == '\0') && strtoul(text, NULL, 10) <= 65535;
}

/* "TCP4 192.0.2.7 192.0.2.10 40022 514" or "TCP6 ...", or "UNKNOWN" and anything. */
static int read_words(char *line, struct proxied *to)
{
    char *rest = line, *family = strsep(&rest, " "), *from, *dest;
    unsigned char address[16], other[16];
    int six;

    if (strcmp(family, "UNKNOWN") == 0) {
        return 1;
    }
    six = strcmp(family, "TCP6") == 0;
    if ((!six && strcmp(family, "TCP4") != 0) || (from = strsep(&rest, " ")) == NULL || (dest = strsep(&rest, " ")) == NULL ||
        inet_pton(six ? AF_INET6 : AF_INET, from, address) != 1 || inet_pton(six ? AF_INET6 : AF_INET, dest, other) != 1 ||
        !is_port(strsep(&rest, " ")) || !is_port(strsep(&rest, " ")) || rest != NULL) {
        return 0;
    }
    if (six) {
        to->named = 1;
        memcpy(&to->address, address, sizeof(to->address));
    } else {
        keep_ipv4(to, address);
    }
    return 1;
}

static long read_version_1(const char *bytes, size_t length, struct proxied *to)
{
    static const char begin[] = "PROXY ";
    size_t same = length < sizeof(begin) - 1 ? length : sizeof(begin) - 1, most = length < PROXY_HEAD ? length : PROXY_HEAD;
    char line[PROXY_HEAD + 1];
    const char *end;

    if (memcmp(bytes, begin, same) != 0) {
        return -1;
    }
    if ((end = memchr(bytes, '\n', most)) == NULL) {
        return length < PROXY_HEAD ? 0 : -1;
    }
    if (end[-1] != '\r' || memchr(bytes, '\0', (size_t)(end - bytes)) != NULL) {
        return -1;
    }
    memcpy(line, bytes, (size_t)(end - bytes));
    line[end - bytes - 1] = '\0';
    return read_words(line + sizeof(begin) - 1, to) ? end - bytes + 1 : -1;
}

long proxy_read(const char *bytes, size_t length, struct proxied *proxied)
{
    *proxied = (struct proxied){0};
    if (length == 0) {
        return 0;
    }
    return bytes[0] == signature[0] ? read_version_2(bytes, length, proxied) : read_version_1(bytes, length, proxied);
}

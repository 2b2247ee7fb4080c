#include "networks.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 1024

/* Every address as one of IPv6; an IPv4 one in the form ::ffff:a.b.c.d, whose first 96 bits say so. */
static struct {
    struct in6_addr address;
    unsigned bits;
} networks[MOST];
static size_t count;

/* Returns the width of the address as it was written, 32 or 128, or 0 where it is none. */
static unsigned parse(const char *text, struct in6_addr *address)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (inet_pton(AF_INET6, text, address) == 1) {
        return 128;
    }
    memcpy(address->s6_addr, mapped, sizeof(mapped));
    return inet_pton(AF_INET, text, address->s6_addr + 12) == 1 ? 32 : 0;
}

int networks_read(const char *path)
{
    char line[128];
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        return -1;
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        char *bits = strpbrk(line, "/\n");
        unsigned width;

        if (bits != NULL && *bits == '/') {
            *bits++ = '\0';
        } else {
            line[strcspn(line, "\n")] = '\0';
            bits = NULL;
        }
        width = parse(line, &networks[count].address);
        if (width == 0 || count == MOST - 1) {
            fclose(file);
            errno = width == 0 ? EINVAL : E2BIG;
            return -1;
        }
        networks[count++].bits = bits ? 128 - width + (unsigned)strtoul(bits, NULL, 10) : 128;
    }
    fclose(file);
    return 0;
}

int networks_hold(const char *text, size_t length)
{
    /* Senders come in runs: most often it is the one before. */
    static char last[INET6_ADDRSTRLEN];
    static size_t last_length;
    static int answer;
    struct in6_addr address;

    if (length == last_length && memcmp(text, last, length) == 0) {
        return answer;
    }
    if (length >= sizeof(last)) {
        return 0;
    }
    memcpy(last, text, length);
    last[length] = '\0';
    last_length = length;
    answer = 0;
    if (parse(last, &address) == 0) {
        return 0;
    }
    for (size_t n = 0; n < count && !answer; n++) {
        unsigned whole = networks[n].bits / 8, rest = networks[n].bits % 8;

        answer = memcmp(address.s6_addr, networks[n].address.s6_addr, whole) == 0 &&
                 (rest == 0 || (address.s6_addr[whole] ^ networks[n].address.s6_addr[whole]) >> (8 - rest) == 0);
    }
    return answer;
}

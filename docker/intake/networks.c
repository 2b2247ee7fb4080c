#include "networks.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

/* A network is the range from its first to its last address. The ranges are sorted and do not overlap, so that one is
 * found by halving, however many there are. IPv4 networks are kept as ::ffff:a.b.c.d, where no IPv6 network may reach
 * into: "::/0" means IPv6. */
struct address {
    uint64_t high, low;
};
struct range {
    struct address first, last;
};
struct ranges {
    struct range *all;
    size_t count, room;
};
struct zoned { /* of a link-local address that was written with its interface: fe80::1%eth0 */
    struct range range;
    uint32_t scope;
};

struct networks {
    struct ranges ipv4, ipv6;
    struct zoned *zoned;
    size_t zoned_count;
};

static int before(struct address a, struct address b)
{
    return a.high < b.high || (a.high == b.high && a.low < b.low);
}

static int compare(const void *a, const void *b)
{
    const struct range *one = a, *other = b;

    return before(one->first, other->first) ? -1 : before(other->first, one->first);
}

static struct address of_bytes(const struct in6_addr *from)
{
    struct address to = {0, 0};

    for (int n = 0; n < 8; n++) {
        to.high = to.high << 8 | from->s6_addr[n];
        to.low = to.low << 8 | from->s6_addr[n + 8];
    }
    return to;
}

/* The network of the first `bits` bits. */
static struct range network(const struct in6_addr *bytes, unsigned bits)
{
    struct address at = of_bytes(bytes), rest;

    rest.high = bits >= 64 ? 0 : ~(uint64_t)0 >> bits;
    rest.low = bits >= 128 ? 0 : bits <= 64 ? ~(uint64_t)0 : ~(uint64_t)0 >> (bits - 64);
    return (struct range){{at.high & ~rest.high, at.low & ~rest.low}, {at.high | rest.high, at.low | rest.low}};
}

static void *grown(void *from, size_t count, size_t size)
{
    void *to = from == NULL ? calloc(count, size) : reallocarray(from, count, size);

    if (to == NULL) {
        abort();
    }
    return to;
}

static void add(struct ranges *to, struct range range)
{
    if (to->count == to->room) {
        to->room = to->room ? 2 * to->room : 64;
        to->all = grown(to->all, to->room, sizeof(*to->all));
    }
    to->all[to->count++] = range;
}

/* Sorts them and joins those that overlap. */
static void join(struct ranges *of)
{
    size_t kept = 0;

    if (of->count == 0) {
        return;
    }
    qsort(of->all, of->count, sizeof(*of->all), compare);
    for (size_t n = 1; n < of->count; n++) {
        if (before(of->all[kept].last, of->all[n].first)) {
            of->all[++kept] = of->all[n];
        } else if (before(of->all[kept].last, of->all[n].last)) {
            of->all[kept].last = of->all[n].last;
        }
    }
    of->count = kept + 1;
}

/* The number of bits behind the slash, or -1. */
static int prefix(const char *text, unsigned width)
{
    unsigned long bits;

    if (!isdigit((unsigned char)text[0]) || strlen(text) > 3 || strspn(text, "0123456789") != strlen(text)) {
        return -1;
    }
    bits = strtoul(text, NULL, 10);
    return bits <= width ? (int)bits : -1;
}

static const char *add_zoned(struct networks *to, struct range range, const struct in6_addr *address, const char *zone)
{
    uint32_t scope = if_nametoindex(zone);

    if (!IN6_IS_ADDR_LINKLOCAL(address)) {
        return "has a zone, which only link-local addresses (fe80::...) have; leave it out";
    }
    if (scope == 0 && zone[strspn(zone, "0123456789")] == '\0') {
        scope = (uint32_t)strtoul(zone, NULL, 10);
    }
    if (scope == 0) {
        return "names an interface that is not here; leave out what is after the %";
    }
    to->zoned = grown(to->zoned, to->zoned_count + 1, sizeof(*to->zoned));
    to->zoned[to->zoned_count++] = (struct zoned){range, scope};
    return NULL;
}

/* "192.0.2.1-192.0.2.9", "192.0.2.*" and "any" are none. */
static int looks_like_a_name(const char *text)
{
    size_t length = strlen(text);

    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == length && strcmp(text, "any") != 0 &&
           strcmp(text, "all") != 0 && text[strspn(text, "0123456789.-")] != '\0' && strncmp(text, "0x", 2) != 0;
}

const char *networks_add(struct networks *to, char *text, unsigned *prefix_length)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    char *slash = strchr(text, '/'), *zone;
    struct in6_addr address;
    int bits;

    if (slash != NULL) {
        *slash++ = '\0';
    }
    if ((zone = strchr(text, '%')) != NULL) {
        *zone++ = '\0';
    }
    if (zone == NULL && inet_pton(AF_INET, text, address.s6_addr + 12) == 1) {
        memcpy(address.s6_addr, mapped, sizeof(mapped));
        if ((bits = slash ? prefix(slash, 32) : 32) < 0) {
            return "has a wrong prefix length; write a number from 0 to 32 after the slash";
        }
        add(&to->ipv4, network(&address, 96 + (unsigned)bits));
        *prefix_length = 96 + (unsigned)bits;
        return NULL;
    }
    if (inet_pton(AF_INET6, text, &address) != 1) {
        return looks_like_a_name(text) ? "is a name; write the addresses that it has"
                                       : "is not an address or network; write for example 10.0.0.0/8,192.0.2.7,2001:db8::/32";
    }
    if ((bits = slash ? prefix(slash, 128) : 128) < 0) {
        return "has a wrong prefix length; write a number from 0 to 128 after the slash";
    }
    *prefix_length = (unsigned)bits;
    if (zone != NULL) {
        return add_zoned(to, network(&address, (unsigned)bits), &address, zone);
    }
    add(IN6_IS_ADDR_V4MAPPED(&address) && bits >= 96 ? &to->ipv4 : &to->ipv6, network(&address, (unsigned)bits));
    return NULL;
}

struct networks *networks_make(void) { return grown(NULL, 1, sizeof(struct networks)); }

void networks_free(struct networks *networks)
{
    if (networks != NULL) {
        free(networks->ipv4.all);
        free(networks->ipv6.all);
        free(networks->zoned);
        free(networks);
    }
}

struct networks *networks_read(FILE *file, char *problem, size_t size)
{
    struct networks *made = networks_make();
    char line[256], shown[128];
    unsigned unused;

    problem[0] = '\0';
    while (fgets(line, sizeof(line), file) != NULL && problem[0] == '\0') {
        const char *wrong;

        line[strcspn(line, "\r\n")] = '\0';
        snprintf(shown, sizeof(shown), "%.120s", line);
        if ((wrong = networks_add(made, line, &unused)) != NULL) {
            snprintf(problem, size, "'%s' %s", shown, wrong);
        }
    }
    if (ferror(file)) {
        snprintf(problem, size, "the networks cannot be read");
    }
    if (problem[0] != '\0') {
        networks_free(made);
        return NULL;
    }
    join(&made->ipv4);
    join(&made->ipv6);
    return made;
}

static int within(const struct range *range, struct address address)
{
    return !before(address, range->first) && !before(range->last, address);
}

static int held_by(const struct ranges *ranges, struct address address)
{
    size_t low = 0, high = ranges->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (before(ranges->all[middle].last, address)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < ranges->count && within(&ranges->all[low], address);
}

int networks_hold(const struct networks *in, const struct in6_addr *bytes, uint32_t scope)
{
    struct address address;

    if (in == NULL) {
        return 0;
    }
    address = of_bytes(bytes);
    if (held_by(IN6_IS_ADDR_V4MAPPED(bytes) ? &in->ipv4 : &in->ipv6, address)) {
        return 1;
    }
    for (size_t n = 0; n < in->zoned_count && IN6_IS_ADDR_LINKLOCAL(bytes); n++) {
        if (in->zoned[n].scope == scope && within(&in->zoned[n].range, address)) {
            return 1;
        }
    }
    return 0;
}

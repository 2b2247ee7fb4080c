#include "sources.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "networks.h"

#define KNOWN 1024 /* sources of late; a power of two */

struct lists lists;

static struct source known[KNOWN];

void sources_take(struct lists *fresh)
{
    networks_free(lists.allowed);
    networks_free(lists.proxies);
    networks_free(lists.relays);
    lists = *fresh;
    memset(known, 0, sizeof(known)); /* what was found out of each is to be found out again */
}

uint32_t source_hash(const struct in6_addr *address, uint32_t scope)
{
    uint64_t halves[2];

    memcpy(halves, address, sizeof(halves));
    halves[0] = (halves[0] ^ scope) * 0x9e3779b97f4a7c15u;
    halves[0] = ((halves[0] >> 29) ^ halves[0] ^ halves[1]) * 0xbf58476d1ce4e5b9u;
    return (uint32_t)(halves[0] >> 32);
}

static int same(const struct source *one, const struct in6_addr *address, uint32_t scope)
{
    return memcmp(&one->address, address, sizeof(*address)) == 0 && one->scope == scope;
}

static void describe(struct source *source)
{
    int ipv4 = IN6_IS_ADDR_V4MAPPED(&source->address);
    size_t length;
    const void *bytes = ipv4 ? source->address.s6_addr + 12 : source->address.s6_addr;

    inet_ntop(ipv4 ? AF_INET : AF_INET6, bytes, source->text, sizeof(source->text));
    length = strlen(source->text);
    memcpy(source->location, "2:", 2);
    for (size_t n = 0; n < length; n++) {
        source->location[2 + n] = source->text[n] == ':' ? '-' : source->text[n];
    }
    source->location[2 + length] = ':';
    source->location_length = length + 3;
    source->allowed = networks_hold(lists.allowed, &source->address, source->scope);
    source->proxy = networks_hold(lists.proxies, &source->address, source->scope);
    source->relay = networks_hold(lists.relays, &source->address, source->scope);
}

static int is_this_machine(const struct source *source)
{
    static const unsigned char here[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1};

    return memcmp(&source->address, here, sizeof(here)) == 0;
}

int source_may_send(const struct source *source)
{
    return networks_hold(lists.allowed, &source->address, source->scope) || is_this_machine(source);
}

/* The health check's own lines come from 127.0.0.1, without a header. It is a matter of sockets, and of no address that
 * somebody names. */
static void allow_health_check(struct source *source)
{
    if (is_this_machine(source)) {
        source->allowed = 1;
        source->proxy = 0;
    }
}

const struct source *source_of(const struct sockaddr_storage *from)
{
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)from;
    struct in6_addr address;
    uint32_t scope = 0;
    struct source *source;

    if (from->ss_family == AF_INET) {
        memset(&address, 0, 10);
        address.s6_addr[10] = address.s6_addr[11] = 0xff;
        memcpy(address.s6_addr + 12, &((const struct sockaddr_in *)from)->sin_addr, 4);
    } else {
        address = six->sin6_addr;
        scope = IN6_IS_ADDR_LINKLOCAL(&address) ? six->sin6_scope_id : 0;
    }
    source = &known[source_hash(&address, scope) % KNOWN];
    if (source->location_length == 0 || !same(source, &address, scope)) {
        source->address = address;
        source->scope = scope;
        describe(source);
        allow_health_check(source);
    }
    return source;
}

void source_named(const struct in6_addr *address, struct source *source)
{
    *source = (struct source){.address = *address};
    describe(source);
    source->proxy = 0; /* one header is read, and no second one behind it */
}

int source_named_by(const char *text, size_t length, struct source *source)
{
    struct in6_addr address = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
    char copy[INET6_ADDRSTRLEN];

    if (length == 0 || length >= sizeof(copy)) {
        return 0;
    }
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (inet_pton(AF_INET, copy, address.s6_addr + 12) != 1 && inet_pton(AF_INET6, copy, &address) != 1) {
        return 0;
    }
    source_named(&address, source);
    return 1;
}

/* How many connections each source has: a table with chains, which grows with the connections. */
struct count {
    struct count *next;
    struct in6_addr address;
    uint32_t scope;
    size_t connections;
};

static struct count *counts[4096];

static struct count **place(const struct source *source)
{
    struct count **at = &counts[source_hash(&source->address, source->scope) % (sizeof(counts) / sizeof(counts[0]))];

    while (*at != NULL && (memcmp(&(*at)->address, &source->address, sizeof(source->address)) != 0 ||
                           (*at)->scope != source->scope)) {
        at = &(*at)->next;
    }
    return at;
}

int source_connected(const struct source *source, size_t most)
{
    struct count **at = place(source);

    if (*at == NULL && (*at = calloc(1, sizeof(**at))) != NULL) {
        (*at)->address = source->address;
        (*at)->scope = source->scope;
    }
    if (*at == NULL || (*at)->connections >= most) {
        return 0;
    }
    (*at)->connections++;
    return 1;
}

void source_disconnected(const struct source *source)
{
    struct count **at = place(source), *gone = *at;

    if (gone != NULL && --gone->connections == 0) {
        *at = gone->next;
        free(gone);
    }
}

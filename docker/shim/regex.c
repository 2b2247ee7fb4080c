/* PCRE2 tries ten million ways before it gives a pattern up. A line that is made for it, such as "HT286: " with an
 * address and 6000 dashes, keeps one of the stock decoders busy for 12 seconds, in which the engine stands still and
 * drops what waits longer than 5. Here every pattern is compiled with a lower limit of its own, which no
 * line of the release's own tests comes near. And some are compiled for valid UTF-8 that nothing checks for, where
 * PCRE2 may read on behind a line that ends within a character: they look at bytes here.
 *
 * A pattern may name what every decoder looks for: (?&ip) is a group that takes an address, in brackets or not,
 * (?&host) one that takes an address or a name, (?&by) a word that says where something comes from, up to the address
 * behind it, and (?&from) a group that takes that address. Stock OSSEC refuses these, as PCRE2 knows no such groups. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "groups.h"
#include "literals.h"

#define LIMIT "(*LIMIT_MATCH=100000)"
#define UTF 0x00080000u /* PCRE2_UTF */
#define CAPTURE_COUNT 4u    /* PCRE2_INFO_CAPTURECOUNT */
#define ZERO_TERMINATED (~(size_t)0) /* PCRE2_ZERO_TERMINATED. The stand-in is built where there is no pcre2.h. */

/* Neither the beginning nor the end of a longer word; not a time, a fingerprint or an Ethernet address either. An IPv4
 * address that is written as an IPv6 one gives the IPv4 one. */
#define IPV4 "[0-9]{1,3}(?:\\.[0-9]{1,3}){3}"
#define IPV6 \
    "(?:(?<![0-9A-Fa-f:]:)|(?<=IPv6:))(?=:*[0-9A-Fa-f])" \
    "(?=[0-9A-Fa-f:]*::|(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f])[0-9A-Fa-f:]{1,38}(?:[0-9A-Fa-f]|(?<=:):)"
#define ADDRESS "(?>" IPV4 "|" IPV6 ")(?!\\w|[.:-][0-9A-Za-z_]*[A-Za-z_.:-]\\w|\\.[0-9]+\\.)"
#define NAME "[A-Za-z0-9][\\w-]*+(?:\\.[\\w-]++)*+"
#define WRITTEN(group) "(?:\\[|(?<![\\w.-]))(?:(?:IPv6:)?::[Ff]{4}:(?=[0-9]+\\.)|IPv6:)?(" group ")\\]?"
/* Looked at first, as it leaves most places of a line out. */
#define BEGINS "(?=[][0-9A-Fa-f:I])"
/* Words for where something comes from. That of a server's own address, or of the name that a client calls it by, is
 * none of them. */
#define SOURCE \
    "(?=[_acfhioprs])(?:\\b|_)(?:from|rhost|rip|ip|addr|(?:remote|client|source|src|peer|host|connecting)[ _-]?(?:ip|addr|host|network)|" \
    "remote|client|source|src|peer|attacker|origin|relay)(?:[ _-]?address)?(?:[ _-]?ip)?" \
    "[ =:\"'(<@-]{1,4}(?:ip |address |host |tcp:|udp:|ipv[46]:(?!:)|\\[AF_INET6?\\]|https?://)?(?:[\\w.-]+ ?(?=\\[))?"

static const struct {
    const char *name, *pattern;
} known[] = {
    {"(?&ip)", BEGINS WRITTEN(ADDRESS)},
    {"(?&host)", WRITTEN(ADDRESS "|" NAME)},
    {"(?&by)", SOURCE},
    {"(?&from)", SOURCE WRITTEN(ADDRESS)},
};
#define KNOWN (sizeof(known) / sizeof(*known))

int pcre2_pattern_info_8(const void *code, uint32_t what, void *where);
void *__real_pcre2_compile_8(const uint8_t *pattern, size_t length, uint32_t options, int *error, size_t *offset,
                             void *context);

/* Which of the known names stands there; KNOWN if none does. */
static size_t name_at(const char *text)
{
    size_t i = 0;

    while (i < KNOWN && strncmp(text, known[i].name, strlen(known[i].name)) != 0) {
        i++;
    }
    return i;
}

/* The pattern with the limit before it and what the names stand for in their place; NULL without memory for it. */
static char *expanded(const char *pattern, size_t length)
{
    size_t size = sizeof(LIMIT), i, which;
    char *text, *end;

    for (i = 0; i < length; i++) {
        which = name_at(pattern + i);
        size += which < KNOWN ? strlen(known[which].pattern) : 1;
    }
    if ((text = malloc(size)) == NULL) {
        return NULL;
    }
    end = stpcpy(text, LIMIT);
    for (i = 0; i < length; i++) {
        if ((which = name_at(pattern + i)) < KNOWN) {
            end = stpcpy(end, known[which].pattern);
            i += strlen(known[which].name) - 1;
        } else {
            *end++ = pattern[i];
        }
    }
    *end = '\0';
    return text;
}

static uint32_t most_groups;

unsigned regex_most_groups(void) { return most_groups; }

static void learn(const void *code, const char *pattern, uint32_t options)
{
    uint32_t groups = 0;

    literals_learn(code, pattern, options);
    if (pcre2_pattern_info_8(code, CAPTURE_COUNT, &groups) == 0 && groups > most_groups) {
        most_groups = groups;
    }
}

void *__wrap_pcre2_compile_8(const uint8_t *pattern, size_t length, uint32_t options, int *error, size_t *offset,
                             void *context)
{
    char *copy, *text = NULL;
    void *code;

    if (length == ZERO_TERMINATED) {
        text = expanded((const char *)pattern, strlen((const char *)pattern));
    } else if ((copy = strndup((const char *)pattern, length)) != NULL) {
        text = expanded(copy, strlen(copy));
        free(copy);
    }
    if (text == NULL) {
        code = __real_pcre2_compile_8(pattern, length, options & ~UTF, error, offset, context);
        if (code != NULL) {
            learn(code, "", options);
        }
        return code;
    }
    code = __real_pcre2_compile_8((const uint8_t *)text, strlen(text), options & ~UTF, error, offset, context);
    if (code != NULL) {
        learn(code, text + sizeof(LIMIT) - 1, options);
    }
    free(text);
    return code;
}

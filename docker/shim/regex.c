/* PCRE2 tries ten million ways before it gives a pattern up. A line that is made for it, such as "HT286: " with an
 * address and 6000 dashes, keeps one of the stock decoders busy for 12 seconds, in which the engine stands still and
 * drops what waits longer than 5. Here every pattern is compiled with a lower limit of its own, which no
 * line of the release's own tests comes near. And some are compiled for valid UTF-8 that nothing checks for, where
 * PCRE2 may read on behind a line that ends within a character: they look at bytes here.
 *
 * A pattern may name what every decoder looks for: (?&ip) is a group that takes an address, in brackets or not,
 * (?&host) one that takes an address or a name, (?&by) a word that says where something comes from, up to the address
 * behind it, (?&from) a group that takes that address, (?&user) one that takes a name, in quotes or not, (?&fields) the fields that
 * a forwarder has put behind a line, if any, (?&start) says that a word starts, also within LoginFailed and login_failed, (?&failed)
 * is a word for what did not succeed, and (?&source), at the end of a pattern that begins with ^, takes the address that is the
 * source, of all those in a text. Stock OSSEC refuses these, as PCRE2 knows no such groups.
 *
 * Most lines have one address alone, of which none is to be chosen, and hold no word of what a pattern denies at its beginning,
 * (?!…): for these there are cheaper forms of such a pattern (forms.h). */
#define _GNU_SOURCE /* mempcpy */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forms.h"
#include "groups.h"
#include "literals.h"
#include "syntax.h"

#define LIMIT "(*LIMIT_MATCH=100000)"
#define UTF 0x00080000u /* PCRE2_UTF */
#define CAPTURE_COUNT 4u    /* PCRE2_INFO_CAPTURECOUNT */
#define JIT_SIZE 10u        /* PCRE2_INFO_JITSIZE */
#define JIT_COMPLETE 1u     /* PCRE2_JIT_COMPLETE */
#define ZERO_TERMINATED (~(size_t)0) /* PCRE2_ZERO_TERMINATED. The stand-in is built where there is no pcre2.h. */

/* Neither the beginning nor the end of a longer word; not a time, a fingerprint or an Ethernet address either. An IPv4
 * address that is written as an IPv6 one gives the IPv4 one; a link's address may have an interface behind it, fe80::1%eth0. */
#define IPV4 "[0-9]{1,3}(?:\\.[0-9]{1,3}){3}"
#define IPV6 \
    "(?:(?<![0-9A-Fa-f:]:)|(?<=IPv6:))(?=:*[0-9A-Fa-f])" \
    "(?=[0-9A-Fa-f:]*::|(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f])[0-9A-Fa-f:]{1,38}(?:[0-9A-Fa-f]|(?<=:):)"
#define PORT_AND_INTERFACE ":[0-9]{1,5}:[A-Z]" /* as SonicWall has them: 192.0.2.1:443:X1 */
#define ENDS "(?:(?!\\w|[.:-][0-9A-Za-z_]*[A-Za-z_.:-]\\w|\\.[0-9]+\\.)|(?=" PORT_AND_INTERFACE "))"
#define ADDRESS "(?>" IPV4 "|" IPV6 ")" ENDS
#define NAME "[A-Za-z0-9][\\w-]*+(?:\\.[\\w-]++)*+"
#define WRITTEN(group) "(?:\\[|(?<![\\w.-]))(?:(?:IPv6:)?::[Ff]{4}:(?=[0-9]+\\.)|IPv6:)?(" group ")(?:%[\\w.-]{1,20}+)?+\\]?"
/* Looked at first, as it leaves most places of a line out. */
#define BEGINS "(?=[][0-9A-Fa-f:I])"
/* Where something goes to is not where it comes from: server_ip=, destination ip: and so on. A lookbehind has no repetition, so
 * all forms are written out, and of the words the end; it is asked where an address stands at all, and of the forms those alone
 * that end as what stands before it does. */
#define EACH_GOAL(form) form("tination") form("dst") form("dest") form("erver") form("ocal") form("nas") form("arget") form("ictim") \
    form("ackend") form("pstream")
#define NOT_BEFORE(word) "(?<!" word "[ _-])"
#define NOT_NAMED(word, end) \
    "(?<!" word end "|" word "ip" end "|" word "[ _-]ip" end "|" word "addr" end "|" word "[ _-]addr" end "|" word "[ _-]address" end "|" \
    word "[ _-]ip[ _-]address" end ")"
#define NOT_OWN(end) "(?<!\\bdaddr" end "|\\bladdr" end "|\\blip" end "|\\bvip" end "|\\bfw" end ")"
#define NOT_ASSIGNED(word) NOT_NAMED(word, "=")
#define NOT_BEHIND_COLON(word) NOT_NAMED(word, ": ")
#define NOT_IN_JSON(word) NOT_NAMED(word, "\":\"") NOT_NAMED(word, "\": \"")
#define NOT_SAID(word) "(?<!" word "[ _-]ip |" word "[ _-]address )"
#define IF_BEHIND(end, forms) "(?:(?<!" end ")|" forms ")"
#define NOT_OF_SERVER IF_BEHIND("[ _-]", EACH_GOAL(NOT_BEFORE))
#define NOT_A_TARGET \
    "(?<!->|-> |=> |\\bto |\\bon |tination |\\bdst |arget |ictim |ackend )" IF_BEHIND("=", EACH_GOAL(NOT_ASSIGNED) NOT_OWN("=")) \
    IF_BEHIND(": ", EACH_GOAL(NOT_BEHIND_COLON) NOT_OWN(": ")) \
    IF_BEHIND("\"", EACH_GOAL(NOT_IN_JSON) NOT_OWN("\":\"") NOT_OWN("\": \"")) IF_BEHIND("ip |ress ", EACH_GOAL(NOT_SAID))
#define HERE "(?=\\[?(?:IPv6:)?[0-9A-Fa-f]*[.:][0-9A-Fa-f:])(?:(?=\\[)|(?<![\\w.-]))" NOT_A_TARGET
/* The only one of a line, which is an IPv4 one. It begins where digits do. */
#define ONE "\\D*+(?:\\d++\\D++)*?(?=[0-9]{1,3}\\.[0-9])(?<![\\w.-])" NOT_A_TARGET "((?>" IPV4 "))" ENDS "\\]?"
/* Words for where something comes from. That of a server's own address, or of the name that a client calls it by, is
 * none of them. */
#define SOURCE \
    "(?=[_acfhioprsu])(?:\\b|_)" NOT_OF_SERVER "(?:from|rhost|rip|ip|addr|(?:remote|client|source|src|peer|host|user|connecting)[ _-]?(?:ip|addr|host|network)|" \
    "remote|client|source|src|peer|attacker|origin|relay)(?:[ _-]?address)?(?:[ _-]?ip)?" \
    "[ =:\"'(<@-]{1,4}(?:ip |address |host |tcp:|udp:|ipv[46]:(?!:)|\\[AF_INET6?\\]|https?://)?(?:[\\w.-]+ ?(?=\\[))?"
/* A word of what stands before that, for as long as it is not one behind which a client's own words stand: a name, or in quotes. */
#define BEFORE "(?>(?!\\b(?:for|as) )(?:[^\\W_alnu]++|(?!user|login |account|name\\b)[alnu])++[^\\w\"'`]*+|[^\\w\"'`]++|_)"

/* A name that a client gave, as applications write it: in quotes or brackets, or up to what ends a word. */
#define USER \
    "(?|'([^']+)'|\"([^\"]+)\"|`([^`]+)`|<([^<>]+)>|\\[([^\\]]+)\\]" \
    "|([^\\s\"',;()\\[\\]<>=]+?)(?=[\\s\"',;()\\[]|[.:]?$|[.:] ))"
/* As pod=web-1 or note="two words". What a client sends may begin with such a field, too, but goes on with what the application
 * wrote itself, which " from " is a part of. */
#define FIELDS "(?:[,;]? [A-Za-z_][\\w./-]*+=(?:\"(?:(?! from )[^\"\\\\]|\\\\.)*+\"(?![^ ,;])|[^\\s\"]*+))*+\\s*+"

#define OF_LOGIN "(?=\\W|_|log|auth|pass|user|cred|token)"
#define START "(?:\\b|_|(?-i:(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])))"
/* Behind a field's name, as in "error":"" and failed=0, such a word says nothing. */
#define FAILED \
    "(?:(?:fail(?:ed|ure|s|ing)?(?:\\b|_?(?=log|auth|sign|pass))|(?=[_bdeilmnruw4])" START \
    "(?:in(?:valid|correct)" OF_LOGIN "|wrong|denied|un(?:successful|known|auth|able to (?=auth|log.?in\\b|sign.?in\\b))|illegal|" \
    "mismatch|(?:locked|errors?)(?![a-z])|non-?exist|bad" OF_LOGIN "|rejected|" \
    "not (?:auth|found|known|allowed|match|log.?in\\b|sign.?in\\b)|no such|(?:does|did|do)(?:n.t| not) (?:match|find|exist)|401\\b))" \
    "(?!\\w*\"? ?[=:] ?(?:\"?(?:0|false|none|null|ok)\\b|\\[\\]|\"\"|\\{\\}))" \
    "|\"(?:success\\w*|auth_success|succeeded|authenticated)\" ?: ?(?:false|0\\b))"

static const struct {
    const char *name, *pattern;
} known[] = {
    {"(?&ip)", BEGINS WRITTEN(ADDRESS)},
    {"(?&host)", WRITTEN(ADDRESS "|" NAME)},
    {"(?&by)", SOURCE},
    {"(?&from)", SOURCE WRITTEN(ADDRESS)},
    {"(?&user)", USER},
    {"(?&fields)", FIELDS},
    {"(?&start)", START},
    {"(?&failed)", FAILED},
    {"(?&source)", "(?:(?:" BEFORE "*?|.*)" SOURCE "|[\\W\\dTZ]*?|.*)" BEGINS HERE WRITTEN(ADDRESS)},
};
#define CHOSEN "(?&source)"
#define DENIED "^(?!"
#define KNOWN (sizeof(known) / sizeof(*known))

int pcre2_pattern_info_8(const void *code, uint32_t what, void *where);
int __real_pcre2_jit_compile_8(void *code, uint32_t options);
int __real_pcre2_jit_match_8(const void *code, const uint8_t *text, size_t length, size_t start, uint32_t options, void *data,
                             void *context);
int pcre2_match_8(const void *code, const uint8_t *text, size_t length, size_t start, uint32_t options, void *data, void *context);
void pcre2_code_free_8(void *code);
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

/* The end of what must not be in the text, where the pattern begins with that. */
static const char *denied_end(const char *pattern)
{
    return strncmp(pattern, DENIED, sizeof(DENIED) - 1) == 0 ? skip_group(pattern + sizeof("^(") - 1) : NULL;
}

/* Which forms there are of a pattern: it may choose an address at its end, and begin with what must not be in the text. */
static unsigned forms_of(const char *pattern)
{
    size_t length = strlen(pattern), source = sizeof(CHOSEN) - 1;
    int chooses = length >= source && strcmp(pattern + length - source, CHOSEN) == 0;

    return (chooses ? ONE_ADDRESS : 0) | (denied_end(pattern) != NULL ? NOT_DENIED : 0);
}

/* What stands at that place of the pattern, in a form of it: how far it goes, and what it is to be; NULL for itself. */
static size_t part_at(const char *at, const char *pattern, unsigned form, const char **is)
{
    size_t which = name_at(at);

    if (at == pattern + 1 && form & NOT_DENIED) {
        *is = "";
        return (size_t)(denied_end(pattern) - at);
    }
    if (which == KNOWN) {
        *is = NULL;
        return 1;
    }
    *is = form & ONE_ADDRESS && strcmp(at, CHOSEN) == 0 ? ONE : known[which].pattern;
    return strlen(known[which].name);
}

/* The pattern with the limit before it and what the names stand for in their place; NULL without memory for it. */
static char *expanded(const char *pattern, unsigned form)
{
    size_t size = sizeof(LIMIT), length;
    const char *at, *is;
    char *text, *end;

    for (at = pattern; *at != '\0'; at += length) {
        length = part_at(at, pattern, form, &is);
        size += is != NULL ? strlen(is) : length;
    }
    if ((text = malloc(size)) == NULL) {
        return NULL;
    }
    end = stpcpy(text, LIMIT);
    for (at = pattern; *at != '\0'; at += length) {
        length = part_at(at, pattern, form, &is);
        end = is != NULL ? stpcpy(end, is) : mempcpy(end, at, length);
    }
    *end = '\0';
    return text;
}

static uint32_t most_groups;

unsigned regex_most_groups(void) { return most_groups; }

/* Those of late that have become machine code, by their address, as asking PCRE2 is dearer. */
static const void *compiled[4096];

static const void **place_of(const void *code) { return &compiled[((uintptr_t)code >> 4) % (sizeof(compiled) / sizeof(*compiled))]; }

static void *compile_text(const char *text, uint32_t options, int *error, size_t *offset, void *context)
{
    void *code = __real_pcre2_compile_8((const uint8_t *)text, strlen(text), options, error, offset, context);

    *place_of(code) = NULL; /* another may have lain there, which is gone */
    return code;
}

static uint32_t groups_of(const void *code)
{
    uint32_t groups = 0;

    return pcre2_pattern_info_8(code, CAPTURE_COUNT, &groups) == 0 ? groups : 0;
}

/* A form of a pattern that takes out as many groups; NULL if it cannot be compiled. */
static void *compile_form(const char *pattern, unsigned form, uint32_t options, void *context, uint32_t groups)
{
    char *text = expanded(pattern, form);
    int error;
    size_t offset;
    void *code;

    if (text == NULL) {
        return NULL;
    }
    code = compile_text(text, options, &error, &offset, context);
    free(text);
    if (code != NULL && groups_of(code) != groups) {
        pcre2_code_free_8(code);
        code = NULL;
    }
    return code;
}

/* The number of the pattern's forms; 0 if there is none. */
static uint8_t learn_forms(const char *pattern, uint32_t options, void *context, uint32_t groups)
{
    unsigned have = forms_of(pattern);
    const char *end = denied_end(pattern);
    void *codes[FORMS] = {NULL};
    char *denied;
    uint8_t number;

    if (have == 0) {
        return 0;
    }
    for (unsigned form = 1; form < FORMS; form++) {
        codes[form] = (form & have) != form ? codes[form & have] : compile_form(pattern, form, options, context, groups);
    }
    denied = end == NULL ? NULL : strndup(pattern + sizeof(DENIED) - 1, (size_t)(end - pattern) - sizeof(DENIED));
    number = forms_learn((const void *const *)codes, denied);
    free(denied);
    return number;
}

/* A pattern of our decoders' language, or of PCRE2's alone. */
static void *compile(const char *pattern, uint32_t options, int *error, size_t *offset, void *context)
{
    char *text = expanded(pattern, 0);
    const char *is = text != NULL ? text : pattern;
    void *code = compile_text(is, options & ~UTF, error, offset, context);

    if (code != NULL) {
        uint32_t groups = groups_of(code);

        most_groups = groups > most_groups ? groups : most_groups;
        literals_learn(code, text != NULL ? text + sizeof(LIMIT) - 1 : "", options,
                       options & UNREADABLE ? 0 : learn_forms(pattern, options & ~UTF, context, groups));
    }
    free(text);
    return code;
}

void *__wrap_pcre2_compile_8(const uint8_t *pattern, size_t length, uint32_t options, int *error, size_t *offset,
                             void *context)
{
    char *copy;
    void *code;

    if (length == ZERO_TERMINATED) {
        return compile((const char *)pattern, options, error, offset, context);
    }
    if ((copy = strndup((const char *)pattern, length)) == NULL) {
        return NULL;
    }
    code = compile(copy, options, error, offset, context);
    free(copy);
    return code;
}

/* Of 1500 patterns most are never tried, as the lines lack their words. So one becomes machine code when it is tried first: the
 * server starts sooner, and takes less memory. */
int __wrap_pcre2_jit_compile_8(void *code, uint32_t options)
{
    (void)code;
    (void)options;
    return 0;
}

int __wrap_pcre2_jit_match_8(const void *code, const uint8_t *text, size_t length, size_t start, uint32_t options, void *data,
                             void *context)
{
    size_t size = 0;

    if (*place_of(code) != code) {
        if ((pcre2_pattern_info_8(code, JIT_SIZE, &size) != 0 || size == 0) &&
            __real_pcre2_jit_compile_8((void *)(uintptr_t)code, JIT_COMPLETE) != 0) {
            return pcre2_match_8(code, text, length, start, options, data, context);
        }
        *place_of(code) = code;
    }
    return __real_pcre2_jit_match_8(code, text, length, start, options, data, context);
}

/* Stock OSSEC tries its decoders of log files only on a line without a program's name, and a decoder that has taken a
 * line by that name keeps it, whether it finds anything in it or not. So a web server's log behind a syslog header, or
 * an application that is known by its words and not by the name of its container, says nothing.
 *
 * Where our decoders are loaded (docker/rootfs/var/ossec/extra), a line is decoded again: one that nobody has taken, or
 * one that was taken by its program's name alone, as that of a container called web is, as if it had no program's name;
 * one that was taken, and in which no source was found, by our families alone (families.c). A child that finds no source
 * leaves the line to the next one, and a family without a child for it to the next family. */
#include "shared.h"
#include "eventinfo.h"
#include "decoder.h"
#include "analysisd.h"
#include "config.h"
#include "colours.h"
#include "extra.h"
#include "families.h"
#include "fields.h"
#include "literals.h"
#include "programs.h"
#include "quotes.h"
#include "rule_lists.h"
#include "wrapper.h"

/* Before 4.2.0 it has no second parameter; what is passed there is in a register that nobody reads. */
void __real_DecodeEvent(Eventinfo *lf, void *match);
OSDecoderNode *__real_OS_GetFirstOSDecoder(const char *program);
void __wrap_print_out(const char *format, ...);

/* In ossec-logtest alone: it prints nothing while this is set. */
extern int alert_only __attribute__((weak));

static __thread OSDecoderNode *first; /* where the next search begins, if not at the head of the list */
static __thread const char *decoding; /* the line; the lists are complete then */

int extra_rules(void) { return families_loaded(); }

OSDecoderNode *__wrap_OS_GetFirstOSDecoder(const char *program)
{
    OSDecoderNode *node = first != NULL ? first : __real_OS_GetFirstOSDecoder(program);

    /* The tester tells of a line that no decoder takes, when it has tried them all. */
    if (decoding == NULL || node == NULL || &alert_only != NULL) {
        return node;
    }
    if (program != NULL) {
        return takers_of_program(node, program, decoding);
    }
    return node == __real_OS_GetFirstOSDecoder(NULL) ? takers_of_beginning(node, decoding) : node;
}

/* From that decoder on, as if the line had no program's name. */
static void decode_from(OSDecoderNode *node, Eventinfo *lf, void *match)
{
    char *program = lf->program_name;

    lf->program_name = NULL;
    lf->decoder_info = NULL_Decoder;
    first = node;
    __real_DecodeEvent(lf, match);
    first = NULL;
    lf->program_name = program;
}

/* This is asked of every line. */
static int is_called(const char *name, const char *other) { return name[0] == other[0] && strcmp(name, other) == 0; }

/* Two of the release's decoders take what only begins as their lines do, with a number or a date. Of another line they find nothing:
 * it is for those behind them. */
static int takes_too_much(const Eventinfo *lf)
{
    const char *name = lf->decoder_info->name;

    return lf->srcip == NULL && name != NULL && (is_called(name, "squid-accesslog") || is_called(name, "dragon-nids"));
}

static void pass_on(Eventinfo *lf, void *match)
{
    while (takes_too_much(lf)) {
        OSDecoderNode *node = __real_OS_GetFirstOSDecoder(NULL);

        while (node->osdecoder != lf->decoder_info) {
            node = node->next;
        }
        if (node->next == NULL) {
            lf->decoder_info = NULL_Decoder;
            return;
        }
        decode_from(node->next, lf, match);
    }
}

/* The child behind the one that has the line, which may be several regular expressions under one name. */
static OSDecoderNode *behind(OSDecoderNode *child, const OSDecoderInfo *decoder)
{
    while (child->osdecoder != decoder || child->osdecoder->get_next) {
        if (child->osdecoder == decoder) {
            decoder = child->next->osdecoder;
        }
        child = child->next;
    }
    return child->next;
}

#define EVERY_FIELD (~0u)

/* Takes back what was found, but for the fields of `keep`, a bit each. Returns which are left. */
static unsigned keep_fields(Eventinfo *lf, unsigned keep)
{
    char **found[] = {&lf->srcip, &lf->dstip, &lf->srcuser, &lf->dstuser, &lf->srcport, &lf->dstport,
                      &lf->protocol, &lf->action, &lf->id, &lf->url, &lf->status};
    unsigned have = 0;

    for (unsigned n = 0; n < sizeof(found) / sizeof(*found); n++) {
        if (*found[n] != NULL && (keep & 1u << n) == 0) {
            free(*found[n]);
            *found[n] = NULL;
        }
        have |= *found[n] != NULL ? 1u << n : 0;
    }
    return have;
}

static int is_clients_word(const Eventinfo *lf)
{
    return lf->srcip != NULL && literals_addresses(lf->log) == ADDRESS_SOME && stands_in_quotes_alone(lf->log, lf->srcip);
}

/* The family from which on the search finds one that keeps the line, by a child that finds a source, or an action where
 * there is no source to find and no decoder has found one before; NULL if there is none. What its first children left is no longer
 * linked to it. A source that is a client's word is left, too, which sets *left, if that is given. */
static OSDecoderNode *search(Eventinfo *lf, void *match, int *left)
{
    OSDecoderNode *node = families_of(lf->log), *family;
    int has_action = lf->action != NULL;
    unsigned before = keep_fields(lf, EVERY_FIELD);

    while (node != NULL) {
        decode_from(node, lf, match);
        if ((family = families_taker(lf)) == NULL) {
            return NULL;
        }
        if (left != NULL && is_clients_word(lf)) {
            *left = 1;
            keep_fields(lf, before);
        }
        if (lf->decoder_info == family->osdecoder) {
            node = family->next;
        } else if (lf->srcip != NULL || (lf->action != NULL && !has_action)) {
            return node;
        } else {
            family->child = behind(family->child, lf->decoder_info);
            node = family;
        }
    }
    return NULL;
}

/* The tester tells of what was found alone, and not of each decoder that was tried. Returns whether it would tell. */
static int hush(void)
{
    int loud = &alert_only != NULL && !alert_only;

    if (loud) {
        alert_only = 1;
    }
    return loud;
}

static void speak(int loud)
{
    if (loud) {
        alert_only = 0;
    }
}

/* A decoder that has found the kind of the event, such as
 * that of Cisco's %SEC_LOGIN-4-LOGIN_FAILED, has rules of its own for it: it keeps the line, and the family only adds what
 * it finds. */
static void decode_by_family(Eventinfo *lf, void *match)
{
    OSDecoderInfo *taken = lf->decoder_info;
    int knows_the_kind = lf->id != NULL;
    int loud = hush(), left = 0;
    OSDecoderNode *found = search(lf, match, &left);

    if (found == NULL && left) {
        found = search(lf, match, NULL); /* rather that than nobody: a client's own quotes may have ended the application's */
    }
    speak(loud);
    if (found != NULL && loud) {
        decode_from(found, lf, match);
    }
    if (found == NULL || knows_the_kind) {
        lf->decoder_info = taken;
    }
}

/* Whether the decoder that took the line has found nothing in it. Its own rules may ask for the decoder alone. */
static int found_nothing(const Eventinfo *lf)
{
    return lf->decoder_info->type == SYSLOG && lf->srcip == NULL && lf->dstip == NULL && lf->srcuser == NULL &&
           lf->dstuser == NULL && lf->id == NULL && lf->action == NULL && lf->url == NULL && lf->status == NULL &&
           lf->data == NULL && lf->systemname == NULL && lf->protocol == NULL && !has_own_fields();
}

/* As a file's line. The decoder that has taken it by its program's name keeps it, unless one of another name finds a
 * source. */
static void decode_as_file(Eventinfo *lf, void *match)
{
    OSDecoderInfo *taken = lf->decoder_info;
    OSDecoderNode *files = __real_OS_GetFirstOSDecoder(NULL);
    int loud = taken != NULL_Decoder && hush();

    decode_from(files, lf, match);
    pass_on(lf, match);
    speak(loud);
    if (taken == NULL_Decoder) {
        return;
    }
    if (lf->srcip == NULL) {
        lf->decoder_info = taken;
    } else if (strcmp(lf->decoder_info->name, taken->name) == 0) {
        free(lf->srcip); /* its rules do not know the form; a family may */
        lf->srcip = NULL;
        lf->decoder_info = taken;
    } else if (loud) {
        decode_from(files, lf, match);
    }
}

/* Whether no decoder has found a source. What one that keeps its own fields has found would be taken for the family's. */
static int lacks_source(const Eventinfo *lf)
{
    unsigned char type = lf->decoder_info->type;

    return lf->srcip == NULL && (type == SYSLOG || type == SQUID || type == IDS || type == FIREWALL) && !has_own_fields();
}

/* The release's decoders that are written in C, as that of SonicWall, tell the tester nothing of what they find. */
static void tell_of_plugin(const Eventinfo *lf)
{
    if (&alert_only != NULL && !alert_only && lf->decoder_info->plugindecoder != NULL && lf->srcip != NULL) {
        __wrap_print_out("       srcip: '%s'", lf->srcip);
    }
}

static int has_address(const Eventinfo *lf) { return literals_addresses(lf->log) != ADDRESS_NONE; }

void __wrap_DecodeEvent(Eventinfo *lf, void *match)
{
    int with_families = extra_rules();

    if (with_families) {
        int had_wrapper = without_wrapper(lf->log);

        if (without_colours(lf->log) || had_wrapper) {
            lf->size = strlen(lf->log);
        }
    }
    decoding = lf->log;
    literals_of(lf->log);
    rules_are_for(lf);
    forget_own_fields();
    __real_DecodeEvent(lf, match);
    if (!with_families) {
        return;
    }
    tell_of_plugin(lf);
    pass_on(lf, match);
    if (lf->program_name != NULL && (lf->decoder_info == NULL_Decoder || (found_nothing(lf) && has_address(lf)))) {
        decode_as_file(lf, match);
    }
    if (lacks_source(lf) && has_address(lf)) {
        decode_by_family(lf, match);
    }
}

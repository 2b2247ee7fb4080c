/* Stock OSSEC tries its decoders of log files only on a line without a program's name, and a decoder that has taken a
 * line by that name keeps it, whether it finds anything in it or not. So a web server's log behind a syslog header, or
 * an application that is known by its words and not by the name of its container, says nothing.
 *
 * Where our decoders are loaded (docker/rootfs/var/ossec/extra), a line is decoded again: one that nobody has taken, or
 * one that was taken by its program's name alone, as that of a container called web is, as if it had no program's name;
 * one that was taken, and in which no source was found, by our families alone. These are
 * the decoders without a program's name that are called any-SOMETHING: each takes the lines in which certain words
 * stand and has a child for each form that it knows. A child that finds no source leaves the line to the next one, and
 * a family without a child for it to the next family. */
#include <pthread.h>

#include "shared.h"
#include "eventinfo.h"
#include "decoder.h"
#include "analysisd.h"
#include "config.h"
#include "address.h"
#include "extra.h"
#include "fields.h"
#include "literals.h"
#include "programs.h"
#include "rule_lists.h"

#define FAMILY "any-"

/* Before 4.2.0 it has no second parameter; what is passed there is in a register that nobody reads. */
void __real_DecodeEvent(Eventinfo *lf, void *match);
OSDecoderNode *__real_OS_GetFirstOSDecoder(const char *program);

/* In ossec-logtest alone: it prints nothing while this is set. */
extern int alert_only __attribute__((weak));

static __thread OSDecoderNode *first; /* where the next search begins, if not at the head of the list */
static __thread const char *decoding; /* the line; the lists are complete then */

static int is_family(const OSDecoderInfo *decoder)
{
    return decoder->name != NULL && strncmp(decoder->name, FAMILY, sizeof(FAMILY) - 1) == 0;
}

static OSDecoderNode *families;

/* Takes the families out of the list of decoders without a program's name, where a line would come upon them: behind
 * the release's decoders, and so that the user's own come first. */
static void take_families_out(void)
{
    OSDecoderNode *node = __real_OS_GetFirstOSDecoder(NULL), **end = &families;

    while (node != NULL && node->next != NULL) {
        if (is_family(node->next->osdecoder)) {
            *end = node->next;
            node->next = (*end)->next;
            end = &(*end)->next;
            *end = NULL;
        } else {
            node = node->next;
        }
    }
}

static OSDecoderNode *first_family(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, take_families_out);
    return families;
}

int extra_rules(void) { return first_family() != NULL; }

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

/* The family that has taken the line; NULL if none has. */
static OSDecoderNode *taker(const Eventinfo *lf)
{
    OSDecoderNode *node, *child;

    if (lf->decoder_info == NULL_Decoder || !is_family(lf->decoder_info)) {
        return NULL;
    }
    for (node = families; node != NULL; node = node->next) {
        if (node->osdecoder == lf->decoder_info) {
            return node;
        }
        for (child = node->child; child != NULL; child = child->next) {
            if (child->osdecoder == lf->decoder_info) {
                return node;
            }
        }
    }
    return NULL;
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

/* A family and, for as long as its first ones are left out, its children. */
struct shortened {
    OSDecoderNode *family, *children;
};

static void restore(struct shortened *all)
{
    if (all->family != NULL) {
        all->family->child = all->children;
        all->family = NULL;
    }
}

/* The family from which on the search finds one that keeps the line, by a child that finds a source, or an action where
 * there is no source to find and no decoder has found one before; NULL if there is none. */
static OSDecoderNode *search(Eventinfo *lf, void *match, struct shortened *all)
{
    OSDecoderNode *node = families, *family;
    int has_action = lf->action != NULL;

    while (node != NULL) {
        decode_from(node, lf, match);
        if ((family = taker(lf)) == NULL) {
            return NULL;
        }
        if (lf->decoder_info == family->osdecoder) {
            restore(all);
            node = family->next;
        } else if (lf->srcip != NULL || (lf->action != NULL && !has_action)) {
            return node;
        } else {
            if (all->family == NULL) {
                *all = (struct shortened){family, family->child};
            }
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
    struct shortened all = {NULL, NULL};
    OSDecoderInfo *taken = lf->decoder_info;
    int knows_the_kind = lf->id != NULL;
    int loud = hush();
    OSDecoderNode *found = search(lf, match, &all);

    speak(loud);
    if (found != NULL && loud) {
        decode_from(found, lf, match);
    }
    if (found == NULL || knows_the_kind) {
        lf->decoder_info = taken;
    }
    restore(&all);
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
    speak(loud);
    if (lf->decoder_info->type == SQUID && lf->srcip == NULL) {
        lf->decoder_info = NULL_Decoder; /* it takes whatever begins with a number */
    }
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

void __wrap_DecodeEvent(Eventinfo *lf, void *match)
{
    int families_loaded = extra_rules();

    decoding = lf->log;
    literals_of(lf->log);
    rules_are_for(lf);
    forget_own_fields();
    __real_DecodeEvent(lf, match);
    if (!families_loaded) {
        return;
    }
    if (lf->program_name != NULL &&
        (lf->decoder_info == NULL_Decoder || (found_nothing(lf) && has_address(lf->log)))) {
        decode_as_file(lf, match);
    }
    if (lacks_source(lf) && has_address(lf->log)) {
        decode_by_family(lf, match);
    }
}

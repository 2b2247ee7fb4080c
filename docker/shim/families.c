/* A family is a decoder without a program's name that is called any-SOMETHING. It takes the lines in which certain words stand,
 * and its children know the forms, a hundred of them. Most lines hold the words of none of these (literals.h): for each line, the
 * children that may take it are linked, and the families that have any. The others would not be of use to it. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared.h"
#include "families.h"
#include "flush.h"
#include "literals.h"

#define NAME "any-"

OSDecoderNode *__real_OS_GetFirstOSDecoder(const char *program);

struct child {
    OSDecoderNode node;     /* as it is linked for a line */
    struct literal form, pattern;
    int goes_on;            /* with the one before it: it comes with that */
};

static struct family {
    OSDecoderNode node;
    struct literal words;
    struct child *children;
    uint16_t *keys; /* what the line must have for each, beside each other */
    size_t count;
} *families;
static size_t family_count;
static OSDecoderNode *linked;

static int is_family(const OSDecoderInfo *decoder)
{
    return decoder->name != NULL && strncmp(decoder->name, NAME, sizeof(NAME) - 1) == 0;
}

/* Takes them out of the list, where a line would come upon them: behind the release's decoders, and so that the user's own come
 * first. */
static OSDecoderNode *take_out(void)
{
    OSDecoderNode *node = __real_OS_GetFirstOSDecoder(NULL), *first = NULL, **end = &first;

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
    return first;
}

static size_t length(const OSDecoderNode *node)
{
    size_t count = 0;

    for (; node != NULL; node = node->next) {
        count++;
    }
    return count;
}

/* What the line must hold for the decoder to take it; nothing is known where it looks behind what another has matched. */
static struct literal form_of(const OSDecoderInfo *decoder)
{
    if (decoder->prematch_offset) {
        return (struct literal){.key = 0};
    }
    return literals_known(decoder->prematch ? (void *)decoder->prematch->regex
                                            : decoder->prematch_pcre2 ? (void *)decoder->prematch_pcre2->regex : NULL);
}

/* And for it to find anything then, if it is not one of several of one name. */
static struct literal pattern_of(const OSDecoderInfo *decoder)
{
    if (decoder->get_next || decoder->regex_offset) {
        return (struct literal){.key = 0};
    }
    return literals_known(decoder->regex ? (void *)decoder->regex->regex : decoder->pcre2 ? (void *)decoder->pcre2->regex : NULL);
}

static void *room(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    if (memory == NULL) {
        tell("there is no memory for the decoders; give the container more");
        _exit(71);
    }
    return memory;
}

static void add(struct family *family, const OSDecoderNode *node)
{
    size_t count = length(node->child) + 1;
    const OSDecoderNode *child;
    int goes_on = 0;

    *family = (struct family){.node = *node, .words = form_of(node->osdecoder)};
    family->children = room(count, sizeof(*family->children) + sizeof(*family->keys));
    family->keys = (uint16_t *)(family->children + count);
    for (child = node->child; child != NULL; child = child->next) {
        struct literal form = form_of(child->osdecoder), pattern = pattern_of(child->osdecoder);

        family->keys[family->count] = goes_on ? 0 : form.key ? form.key : pattern.key;
        family->children[family->count++] = (struct child){*child, form, pattern, goes_on};
        goes_on = child->osdecoder->get_next;
    }
}

static void load(void)
{
    const OSDecoderNode *node = take_out();

    families = room(length(node) + 1, sizeof(*families));
    for (; node != NULL; node = node->next) {
        add(&families[family_count++], node);
    }
}

int families_loaded(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, load);
    return family_count > 0;
}

static OSDecoderNode *link_children(struct family *family, int known)
{
    OSDecoderNode *first = NULL, **end = &first;
    int comes = 0;

    for (size_t n = 0; n < family->count; n++) {
        struct child *child;

        if (known && !literals_have(family->keys[n])) {
            comes = 0;
            continue;
        }
        child = &family->children[n];
        comes = child->goes_on ? comes : !known || (literals_fit(&child->form) && literals_fit(&child->pattern));
        if (comes) {
            *end = &child->node;
            end = &child->node.next;
        }
    }
    *end = NULL;
    return first;
}

OSDecoderNode *families_of(const char *text)
{
    OSDecoderNode **end = &linked;
    int known = literals_are_of(text);

    for (struct family *family = families; family < families + family_count; family++) {
        if ((!known || literals_fit(&family->words)) && (family->node.child = link_children(family, known)) != NULL) {
            *end = &family->node;
            end = &family->node.next;
        }
    }
    *end = NULL;
    return linked;
}

OSDecoderNode *families_taker(const Eventinfo *lf)
{
    if (!is_family(lf->decoder_info)) { /* a child is called as its family */
        return NULL;
    }
    for (OSDecoderNode *node = linked; node != NULL; node = node->next) {
        if (node->osdecoder == lf->decoder_info) {
            return node;
        }
        for (OSDecoderNode *child = node->child; child != NULL; child = child->next) {
            if (child->osdecoder == lf->decoder_info) {
                return node;
            }
        }
    }
    return NULL;
}

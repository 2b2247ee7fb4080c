/* The engine tries the decoders one after the other on a line's program, most of them a regular expression, though the
 * same few programs write nearly all lines. Here it is known for the programs that came last which decoders may take their
 * lines: they are a list of their own, and the rest is not asked again. Of the decoders of files, most are tied to the
 * beginning of the line: there is a list for each byte that a line begins with. Of a list, those whose pattern can match the
 * line (literals.h) are linked for it. */
#include <stdlib.h>
#include <string.h>

#include "shared.h"
#include "hash.h"
#include "literals.h"
#include "programs.h"

#define KNOWN 256    /* programs; one that comes anew takes the place of another of those that it may lie beside */
#define BESIDE 4     /* so many */
#define LONGEST 32   /* bytes of a name that is remembered, with its zero */

/* A decoder, as it is linked for a line. */
struct taker {
    OSDecoderNode node;
    struct literal pattern; /* of what the line must hold */
    int goes_on;            /* with the one before it, or the next with it: it is tried in any case */
};

struct list {
    const OSDecoderNode *from;
    struct taker *takers;
    uint16_t *keys; /* what the line must have for each, beside each other */
    size_t count;
};

static struct known {
    char name[LONGEST];
    struct list list;
} known[KNOWN];

/* What a list is for: a program, or where that is NULL, lines of files that begin with a byte. */
struct kind {
    const char *program;
    unsigned char first;
};

static int may_begin(const OSDecoderInfo *decoder, unsigned char first)
{
    if (decoder->prematch) {
        return literals_may_begin(decoder->prematch->regex, first);
    }
    return decoder->prematch_pcre2 == NULL || literals_may_begin(decoder->prematch_pcre2->regex, first);
}

static int may_take(const OSDecoderInfo *decoder, const struct kind *kind)
{
    if (kind->program == NULL) {
        return may_begin(decoder, kind->first);
    }
    if (decoder->program_name) {
        return OSMatch_Execute(kind->program, strlen(kind->program), decoder->program_name);
    }
    return decoder->program_name_pcre2 == NULL || OSPcre2_Execute(kind->program, decoder->program_name_pcre2) != NULL;
}

static OSDecoderNode *first_taker(OSDecoderNode *node, const struct kind *kind)
{
    while (node != NULL && !may_take(node->osdecoder, kind)) {
        node = node->next;
    }
    return node;
}

/* What goes on with the next, as several regular expressions of one decoder, keeps it. */
static OSDecoderNode *next_taker(const OSDecoderNode *node, const struct kind *kind)
{
    return node->osdecoder->get_next ? node->next : first_taker(node->next, kind);
}

static struct literal pattern_of(const OSDecoderInfo *decoder)
{
    if (decoder->prematch) {
        return literals_known(decoder->prematch->regex);
    }
    return literals_known(decoder->prematch_pcre2 ? decoder->prematch_pcre2->regex : NULL);
}

/* Those that take it; none without memory for them. */
static void fill(struct list *list, OSDecoderNode *from, const struct kind *kind)
{
    OSDecoderNode *node;
    int goes_on = 0;

    free(list->takers);
    *list = (struct list){.from = from};
    for (node = first_taker(from, kind); node != NULL; node = next_taker(node, kind)) {
        list->count++;
    }
    if (list->count == 0 || (list->takers = calloc(list->count, sizeof(*list->takers) + sizeof(*list->keys))) == NULL) {
        list->count = 0;
        return;
    }
    list->keys = (uint16_t *)(list->takers + list->count);
    for (node = first_taker(from, kind), list->count = 0; node != NULL; node = next_taker(node, kind)) {
        const OSDecoderInfo *decoder = node->osdecoder;

        goes_on |= decoder->get_next;
        list->takers[list->count] = (struct taker){*node, pattern_of(decoder), goes_on};
        list->keys[list->count] = goes_on ? 0 : list->takers[list->count].pattern.key;
        list->count++;
        goes_on = decoder->get_next;
    }
}

static OSDecoderNode *link_takers(const struct list *list, int to_line)
{
    OSDecoderNode *first = NULL, **end = &first;

    for (size_t n = 0; n < list->count; n++) {
        struct taker *taker = &list->takers[n];

        if (!to_line || (literals_have(list->keys[n]) && (taker->goes_on || literals_fit(&taker->pattern)))) {
            *end = &taker->node;
            end = &taker->node.next;
        }
    }
    *end = NULL;
    return first;
}

static struct known *place_of(const char *program)
{
    static unsigned next;
    struct known *places = &known[hash_of(program) % (KNOWN / BESIDE) * BESIDE];

    for (unsigned n = 0; n < BESIDE; n++) {
        if (strcmp(places[n].name, program) == 0) {
            return &places[n];
        }
    }
    return &places[next++ % BESIDE];
}

OSDecoderNode *takers_of_program(OSDecoderNode *from, const char *program, const char *text)
{
    struct known *one;

    if (strlen(program) >= LONGEST) {
        return from;
    }
    one = place_of(program);
    if (one->list.from != from || strcmp(one->name, program) != 0) {
        strcpy(one->name, program);
        fill(&one->list, from, &(struct kind){.program = program});
    }
    return link_takers(&one->list, literals_are_of(text));
}

OSDecoderNode *takers_of_beginning(OSDecoderNode *from, const char *text)
{
    static struct list lists[256];
    unsigned char first = (unsigned char)*text;

    if (lists[first].from != from) {
        fill(&lists[first], from, &(struct kind){.first = first});
    }
    return link_takers(&lists[first], literals_are_of(text));
}

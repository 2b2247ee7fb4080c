/* The engine tries the decoders one after the other on a line's program, most of them a regular expression, though the
 * same few programs write nearly all lines. Here it is known for the programs that came last which decoders may take their
 * lines: they are a list of their own, and the rest is not asked again. Of the decoders of files, most are tied to the
 * beginning of the line: there is a list for each byte that a line begins with. */
#include <stdlib.h>
#include <string.h>

#include "shared.h"
#include "literals.h"
#include "programs.h"

#define KNOWN 256    /* programs; one that comes anew takes the place of another */
#define LONGEST 32   /* bytes of a name that is remembered, with its zero */

static struct {
    char name[LONGEST];
    const OSDecoderNode *from;
    OSDecoderNode *list;
} known[KNOWN];

static unsigned place_of(const char *program)
{
    unsigned hash = 2166136261u; /* FNV-1a */

    for (; *program != '\0'; program++) {
        hash = (hash ^ (unsigned char)*program) * 16777619u;
    }
    return hash % KNOWN;
}

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

/* A copy of the list without those that do not take it; its nodes lie in one piece. NULL where there is none, or no memory
 * for it. */
static OSDecoderNode *takers(OSDecoderNode *from, const struct kind *kind)
{
    size_t count = 0;
    OSDecoderNode *node, *list;

    for (node = first_taker(from, kind); node != NULL; node = next_taker(node, kind)) {
        count++;
    }
    if (count == 0 || (list = calloc(count, sizeof(*list))) == NULL) {
        return NULL;
    }
    for (node = first_taker(from, kind), count = 0; node != NULL; node = next_taker(node, kind), count++) {
        list[count] = *node;
        list[count].next = NULL;
        if (count > 0) {
            list[count - 1].next = &list[count];
        }
    }
    return list;
}

OSDecoderNode *takers_of_program(OSDecoderNode *from, const char *program)
{
    unsigned place = place_of(program);

    if (strlen(program) >= LONGEST) {
        return from;
    }
    if (known[place].from != from || strcmp(known[place].name, program) != 0) {
        free(known[place].list);
        strcpy(known[place].name, program);
        known[place].from = from;
        known[place].list = takers(from, &(struct kind){.program = program});
    }
    return known[place].list;
}

OSDecoderNode *takers_of_beginning(OSDecoderNode *from, char first)
{
    static struct {
        const OSDecoderNode *from;
        OSDecoderNode *list;
    } lists[256];
    unsigned char at = (unsigned char)first;

    if (lists[at].from != from) {
        free(lists[at].list);
        lists[at].from = from;
        lists[at].list = takers(from, &(struct kind){.first = at});
    }
    return lists[at].list;
}

/* The engine tries the decoders one after the other on a line's program, most of them a regular expression, though the
 * same few programs write nearly all lines. Here it is known for the programs that came last where the first decoder
 * stands that may take their lines: those before it are not asked again. */
#include <string.h>

#include "shared.h"
#include "programs.h"

#define KNOWN 256    /* programs; one that comes anew takes the place of another */
#define LONGEST 32   /* bytes of a name that is remembered, with its zero */

static struct {
    char name[LONGEST];
    const OSDecoderNode *from;
    OSDecoderNode *first;
} known[KNOWN];

static unsigned place_of(const char *program)
{
    unsigned hash = 2166136261u; /* FNV-1a */

    for (; *program != '\0'; program++) {
        hash = (hash ^ (unsigned char)*program) * 16777619u;
    }
    return hash % KNOWN;
}

static int may_take(const OSDecoderInfo *decoder, const char *program)
{
    if (decoder->program_name) {
        return OSMatch_Execute(program, strlen(program), decoder->program_name);
    }
    return decoder->program_name_pcre2 == NULL || OSPcre2_Execute(program, decoder->program_name_pcre2) != NULL;
}

OSDecoderNode *first_for_program(OSDecoderNode *node, const char *program)
{
    unsigned place = place_of(program);
    OSDecoderNode *first;

    if (strlen(program) >= LONGEST) {
        return node;
    }
    if (known[place].from == node && strcmp(known[place].name, program) == 0) {
        return known[place].first;
    }
    for (first = node; first != NULL && !may_take(first->osdecoder, program); first = first->next) {
    }
    strcpy(known[place].name, program);
    known[place].from = node;
    known[place].first = first;
    return first;
}

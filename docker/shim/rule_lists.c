/* The engine asks each rule at the top of its tree about each line: 330, which lie all over its memory, and most of which are
 * for the lines of one decoder or of one program. Here each decoder, and each program whose lines come often, has a copy of
 * the tree's top without the rules that are for others. What is below a rule is shared. */
#include "rule_lists.h"

#include "analysisd.h"
#include "decoder.h"
#include "rules.h"

#define KNOWN 1024 /* lists; one that comes anew takes the place of another */
#define LONGEST 32 /* bytes of a program's name that is remembered, with its zero */

/* In ossec-logtest alone, which tells of each rule that it tries. */
extern int alert_only __attribute__((weak));

RuleNode *__real_OS_GetFirstRule(void);

/* Whose lines a list is for. */
struct lines {
    int decoder, type;
    const char *program; /* "" for any, or none */
};

static struct known {
    int decoder, type;
    char program[LONGEST];
    RuleNode *list; /* NULL until they have come twice, so that programs that come once cost little */
} known[KNOWN];

static const Eventinfo *event;

void rules_are_for(const Eventinfo *lf) { event = lf; }

static int is_for_program(const RuleInfo *rule, const char *program)
{
    if (program[0] == '\0') {
        return 1;
    }
    if (rule->program_name) {
        return OSMatch_Execute(program, strlen(program), rule->program_name);
    }
    return rule->program_name_pcre2 == NULL || OSPcre2_Execute(program, rule->program_name_pcre2) != NULL;
}

static int is_for(const RuleInfo *rule, const struct lines *lines)
{
    return (rule->decoded_as == 0 || rule->decoded_as == lines->decoder) && is_for_program(rule, lines->program);
}

static RuleNode *next_for(RuleNode *node, const struct lines *lines)
{
    while (node != NULL && !is_for(node->ruleinfo, lines)) {
        node = node->next;
    }
    return node;
}

/* Copies a list, with those below each of its rules; or, without a place for it, only counts. The number of nodes. */
static size_t copy_list(RuleNode *from, RuleNode *to, const struct lines *lines)
{
    RuleNode *node;
    size_t count = 0;

    for (node = next_for(from, lines); node != NULL; node = next_for(node->next, lines)) {
        if (to != NULL) {
            to[count] = *node;
            to[count].next = next_for(node->next, lines) != NULL ? &to[count + 1] : NULL;
        }
        count++;
    }
    return count;
}

static RuleNode *next_of_type(RuleNode *node, const struct lines *lines)
{
    while (node != NULL && (node->ruleinfo->category != lines->type || !is_for(node->ruleinfo, lines))) {
        node = node->next;
    }
    return node;
}

/* NULL where no rule is for these lines, or there is no memory for it. */
static RuleNode *make_list(const struct lines *lines)
{
    RuleNode *first = next_of_type(__real_OS_GetFirstRule(), lines), *node, *list, *end;
    size_t count = 0;

    for (node = first; node != NULL; node = next_of_type(node->next, lines)) {
        count += 1 + copy_list(node->child, NULL, lines);
    }
    if (count == 0 || (list = calloc(count, sizeof(*list))) == NULL) {
        return NULL;
    }
    for (node = first, end = list; node != NULL; node = next_of_type(node->next, lines)) {
        RuleNode *copy = end++;
        size_t children = copy_list(node->child, end, lines);

        *copy = (RuleNode){.ruleinfo = node->ruleinfo, .child = children > 0 ? end : NULL};
        end += children;
        copy->next = next_of_type(node->next, lines) != NULL ? end : NULL;
    }
    return list;
}

static struct known *place_of(const struct lines *lines)
{
    unsigned hash = 2166136261u; /* FNV-1a */

    for (const char *at = lines->program; *at != '\0'; at++) {
        hash = (hash ^ (unsigned char)*at) * 16777619u;
    }
    return &known[(hash ^ (unsigned)(lines->decoder * 31 + lines->type)) % KNOWN];
}

static int is_known(const struct known *one, const struct lines *lines)
{
    return one->decoder == lines->decoder && one->type == lines->type && strcmp(one->program, lines->program) == 0;
}

static RuleNode *list_of(const struct lines *lines)
{
    struct known *one = place_of(lines);

    if (!is_known(one, lines)) {
        free(one->list);
        *one = (struct known){.decoder = lines->decoder, .type = lines->type};
        strcpy(one->program, lines->program);
        if (lines->program[0] != '\0') {
            return NULL;
        }
    }
    if (one->list == NULL) {
        one->list = make_list(lines);
    }
    return one->list;
}

/* While the hour changes, what all rules have done is written down. */
static int goes_through_all(void)
{
    return event == NULL || &alert_only != NULL || thishour != __crt_hour || event->decoder_info == NULL ||
           event->decoder_info->type == OSSEC_ALERT;
}

RuleNode *__wrap_OS_GetFirstRule(void)
{
    struct lines lines;
    RuleNode *list = NULL;

    if (goes_through_all()) {
        return __real_OS_GetFirstRule();
    }
    lines = (struct lines){event->decoder_info->id, event->decoder_info->type, ""};
    if (event->program_name != NULL && strlen(event->program_name) < LONGEST) {
        lines.program = event->program_name;
        list = list_of(&lines);
        lines.program = "";
    }
    if (list == NULL) {
        list = list_of(&lines);
    }
    return list != NULL ? list : __real_OS_GetFirstRule();
}

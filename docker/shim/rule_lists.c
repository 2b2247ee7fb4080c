/* The engine asks each rule at the top of its tree about each line: 330, which lie all over its memory, and most of which are
 * for the lines of one decoder or of one program, or look for a word that the line lacks. Here each decoder, and each program
 * whose lines come often, has a copy of the tree without the rules that are for others, in one piece, with what is known of
 * each rule's pattern (literals.h) beside it. For each line the rules that can fire are linked from it, in their order, down to
 * DEPTH: the engine itself stops at the first that fires, and comes to few of those below. */
#include "rule_lists.h"

#include "analysisd.h"
#include "decoder.h"
#include "hash.h"
#include "literals.h"
#include "rules.h"

#define DEPTH 2     /* below the rule that all lines of web servers have at their top, one more */
#define KNOWN 512  /* trees; one that comes anew takes the place of another of those that it may lie beside */
#define BESIDE 4   /* so many */
#define LONGEST 32 /* bytes of a program's name that is remembered, with its zero */

/* In ossec-logtest alone, which tells of each rule that it tries. */
extern int alert_only __attribute__((weak));

RuleNode *__real_OS_GetFirstRule(void);

/* Whose lines a tree is for. */
struct lines {
    int decoder, type;
    const char *program; /* "" for any, or none */
};

/* Without which a rule cannot fire; and that what is known of it is of its pattern for the URL, which is part of the line. */
enum { ID = 1, ACTION = 2, URL = 4, PROGRAM = 8, WORDS_OF_URL = 16 };

/* A cache line. */
struct rule {
    RuleNode node;          /* as it is linked for a line */
    struct literal pattern; /* one of the rule's, on the line */
    unsigned count;
    struct rule *below; /* so many, behind each other */
};

/* What a line must have for a rule to be looked at: most are left out by that alone. */
struct key {
    uint16_t place, needs;
};

static struct known {
    int decoder, type;
    char program[LONGEST];
    struct rule *tree; /* NULL until they have come twice, so that programs that come once cost little */
    struct key *keys;  /* of all its rules, in their order */
    unsigned count;    /* of its top */
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

/* The engine looks at the kind of a line at the tree's top alone. */
static RuleNode *next_for(RuleNode *node, const struct lines *lines, int top)
{
    while (node != NULL && ((top && node->ruleinfo->category != lines->type) || !is_for(node->ruleinfo, lines))) {
        node = node->next;
    }
    return node;
}

static int is_known_of(struct literal one) { return one.counts[0] != 0 || one.first != 0; }

/* What is known of one of its patterns; *needs says of which, and what else the rule asks for. */
static struct literal pattern_of(const RuleInfo *rule, uint16_t *needs)
{
    struct literal one = {.key = 0};

    *needs = (uint16_t)((rule->id || rule->id_pcre2 ? ID : 0) | (rule->action ? ACTION : 0) | (rule->url || rule->url_pcre2 ? URL : 0) |
                        (rule->program_name || rule->program_name_pcre2 ? PROGRAM : 0));
    if (rule->match || rule->match_pcre2) {
        one = literals_known(rule->match ? rule->match->regex : rule->match_pcre2->regex);
    }
    if (!is_known_of(one) && (rule->regex || rule->pcre2)) {
        one = literals_known(rule->regex ? rule->regex->regex : rule->pcre2->regex);
    }
    if (!is_known_of(one) && (*needs & URL)) {
        one = literals_known(rule->url ? rule->url->regex : rule->url_pcre2->regex);
        one.first = 0; /* the line begins otherwise */
        *needs |= WORDS_OF_URL;
    }
    return one;
}

static size_t count_all(RuleNode *from, const struct lines *lines, int top)
{
    size_t count = 0;

    for (RuleNode *node = next_for(from, lines, top); node != NULL; node = next_for(node->next, lines, top)) {
        count += 1 + count_all(node->child, lines, 0);
    }
    return count;
}

/* Copies a list, and behind it the lists below its rules: the place behind all of them. */
static struct rule *copy(struct known *in, RuleNode *from, struct rule *to, unsigned *count, const struct lines *lines, int top)
{
    struct rule *end = to;

    for (RuleNode *node = next_for(from, lines, top); node != NULL; node = next_for(node->next, lines, top)) {
        struct key *key = &in->keys[end - in->tree];

        *end = (struct rule){.node = *node, .pattern = pattern_of(node->ruleinfo, &key->needs)};
        key->place = end->pattern.key;
        end->node.next = NULL;
        if (end > to) {
            end[-1].node.next = &end->node;
        }
        end++;
    }
    *count = (unsigned)(end - to);
    for (unsigned n = 0; n < *count; n++) {
        to[n].below = end;
        end = copy(in, to[n].node.child, end, &to[n].count, lines, 0);
        to[n].node.child = to[n].count > 0 ? &to[n].below->node : NULL;
    }
    return end;
}

static void make_tree(struct known *one, const struct lines *lines)
{
    size_t count = count_all(__real_OS_GetFirstRule(), lines, 1);

    if (count == 0 || (one->tree = calloc(count, sizeof(*one->tree) + sizeof(*one->keys))) == NULL) {
        return;
    }
    one->keys = (struct key *)(one->tree + count);
    copy(one, __real_OS_GetFirstRule(), one->tree, &one->count, lines, 1);
}

static int is_known(const struct known *one, const struct lines *lines)
{
    return one->decoder == lines->decoder && one->type == lines->type && strcmp(one->program, lines->program) == 0;
}

static struct known *place_of(const struct lines *lines)
{
    static unsigned next;
    struct known *places = &known[(hash_of(lines->program) ^ (unsigned)(lines->decoder * 31 + lines->type)) % (KNOWN / BESIDE) * BESIDE];

    for (unsigned n = 0; n < BESIDE; n++) {
        if (is_known(&places[n], lines)) {
            return &places[n];
        }
    }
    return &places[next++ % BESIDE];
}

/* NULL where there is none, or none yet. */
static const struct known *tree_of(const struct lines *lines)
{
    struct known *one = place_of(lines);

    if (!is_known(one, lines)) {
        free(one->tree);
        *one = (struct known){.decoder = lines->decoder, .type = lines->type};
        strcpy(one->program, lines->program);
        if (lines->program[0] != '\0') {
            return NULL;
        }
    }
    if (one->tree == NULL) {
        make_tree(one, lines);
    }
    return one->tree != NULL ? one : NULL;
}

/* The first of the rules that can fire, each of which is linked to the next, and to those below it. `unsure` is of which what is
 * known does not count. */
static RuleNode *link_rules(const struct known *in, struct rule *rules, unsigned count, unsigned lacks, unsigned unsure, int depth)
{
    const struct key *keys = in->keys + (rules - in->tree);
    RuleNode *first = NULL, **end = &first;

    for (unsigned n = 0; n < count; n++) {
        struct rule *rule = &rules[n];

        if (((literals_have(keys[n].place) && literals_fit(&rule->pattern)) || (keys[n].needs & unsure)) && !(keys[n].needs & lacks)) {
            if (depth > 1) {
                rule->node.child = link_rules(in, rule->below, rule->count, lacks, unsure, depth - 1);
            }
            *end = &rule->node;
            end = &rule->node.next;
        }
    }
    *end = NULL;
    return first;
}

/* While the hour changes, what all rules have done is written down. */
static int goes_through_all(void)
{
    return event == NULL || &alert_only != NULL || thishour != __crt_hour || event->decoder_info == NULL ||
           event->decoder_info->type == OSSEC_ALERT || !literals_are_of(event->log);
}

/* Of a URL that begins within a word, it is not known where its words begin. */
static unsigned unsure(const char *url) { return url != NULL && of_word(*url) ? WORDS_OF_URL : 0; }

RuleNode *__wrap_OS_GetFirstRule(void)
{
    struct lines lines;
    const struct known *found = NULL;
    RuleNode *list = NULL;

    if (goes_through_all()) {
        return __real_OS_GetFirstRule();
    }
    lines = (struct lines){event->decoder_info->id, event->decoder_info->type, ""};
    if (event->program_name != NULL && strlen(event->program_name) < LONGEST) {
        lines.program = event->program_name;
        found = tree_of(&lines);
        lines.program = "";
    }
    if (found == NULL) {
        found = tree_of(&lines);
    }
    if (found != NULL) {
        list = link_rules(found, found->tree, found->count,
                          (event->id ? 0 : ID) | (event->action ? 0 : ACTION) | (event->url ? 0 : URL) | (event->program_name ? 0 : PROGRAM),
                          unsure(event->url), event->decoder_info->type == WEBLOG ? DEPTH + 1 : DEPTH);
    }
    return list != NULL ? list : __real_OS_GetFirstRule(); /* it takes none for an error */
}

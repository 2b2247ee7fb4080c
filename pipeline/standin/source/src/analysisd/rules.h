/* The tree of rules, as the engine keeps it of what it has read. The stand-in's own are in rules.c. */
#pragma once

#include "eventinfo.h"
#include "shared.h"

/* What a rule that looks back at other lines asks of them, and whether it has more to ask than the first two. */
#define SAME_USER 0x001
#define SAME_SRCIP 0x002
#define SAME_ID 0x004
#define SAME_EXTRAINFO 0x200

typedef struct RuleInfo {
    int category, decoded_as; /* the kind of decoder, and which one, whose lines it is for; 0 for any */
    OSMatch *program_name;    /* whose lines it is for, in one of two forms; NULL for anybody's */
    OSPcre2 *program_name_pcre2;
    void **fields;            /* that it looks at, up to a NULL */
    /* What the line, or what was found in it, must match, likewise. */
    OSMatch *match, *id, *url;
    OSRegex *regex;
    OSPcre2 *match_pcre2, *pcre2, *id_pcre2, *url_pcre2;
    char *action;
    int context_opts, alert_opts;
} RuleInfo;

typedef struct RuleNode {
    RuleInfo *ruleinfo;
    struct RuleNode *next, *child;
} RuleNode;

RuleNode *OS_GetFirstRule(void);

/* The line that such a rule finds, of one rule, of one group or of all; NULL for none. */
Eventinfo *Search_LastSids(Eventinfo *event, RuleInfo *rule);
Eventinfo *Search_LastGroups(Eventinfo *event, RuleInfo *rule);
Eventinfo *Search_LastEvents(Eventinfo *event, RuleInfo *rule);

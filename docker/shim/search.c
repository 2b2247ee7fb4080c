/* A rule that counts events of one source, user or id looks for each line at all those that it has kept, up to thousands, which
 * lie all over the memory. A line that has no source, user or id itself is like none of them. */
#include "shared.h"
#include "eventinfo.h"
#include "rules.h"

static int is_like_none(const Eventinfo *lf, const RuleInfo *rule)
{
    return ((rule->context_opts & SAME_SRCIP) && lf->srcip == NULL) || ((rule->context_opts & SAME_ID) && lf->id == NULL) ||
           ((rule->context_opts & SAME_USER) && (rule->alert_opts & SAME_EXTRAINFO) && lf->dstuser == NULL);
}

#define SEARCH(function)                                                    \
    Eventinfo *__real_##function(Eventinfo *lf, RuleInfo *rule);            \
    Eventinfo *__wrap_##function(Eventinfo *lf, RuleInfo *rule)             \
    {                                                                       \
        return is_like_none(lf, rule) ? NULL : __real_##function(lf, rule); \
    }

SEARCH(Search_LastSids)
SEARCH(Search_LastGroups)
SEARCH(Search_LastEvents)

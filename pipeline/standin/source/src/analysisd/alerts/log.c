/* What the engine writes. Everything is flushed at once, as others follow the files. */
#include "analysisd.h"
#include "getloglocation.h"
#include "shared.h"

static void finish(FILE *file)
{
    if (fflush(file) != 0) {
        fail("the day's files cannot be written: %s", strerror(errno));
    }
}

void OS_Store(const Eventinfo *lf)
{
    fprintf(_eflog, "%s %s->%s %s\n", lf->moment, lf->hostname, lf->location, lf->full_log);
    finish(_eflog);
}

int FW_Log(Eventinfo *lf)
{
    if (lf->action == NULL || lf->srcip == NULL || lf->dstip == NULL || lf->protocol == NULL) {
        return 0;
    }
    fprintf(_fflog, "%s %s %s %s %s\n", lf->moment, lf->action, lf->protocol, lf->srcip, lf->dstip);
    finish(_fflog);
    return 1;
}

void jsonout_output_event(const Eventinfo *lf)
{
    char *object = Eventinfo_to_jsonstr(lf);

    fprintf(_jflog, "%s\n", object);
    free(object);
    finish(_jflog);
}

void OS_Log(Eventinfo *lf)
{
    const Rule *rule = lf->generated_rule;

    fprintf(_aflog, "** Alert %s:%s - %s\n%s %s->%s\nRule: %d (level %d) -> '%s'\n", lf->alert_id, lf->mail ? " mail " : "",
            rule->group, lf->moment, lf->hostname, lf->location, rule->id, rule->level, rule->comment);
    if (lf->srcip != NULL) {
        fprintf(_aflog, "Src IP: %s\n", lf->srcip);
    }
    fprintf(_aflog, "%s\n\n", lf->full_log);
    finish(_aflog);
}

/* The engine takes a line that equals one of the three before it for the same event, and leaves a firewall's event out that
 * lacks one of four fields. Here every line counts. */
#include "shared.h"
#include "eventinfo.h"

int __wrap_LastMsg_Stats(const char *log)
{
    (void)log;
    return 0;
}

void __wrap_LastMsg_Change(const char *log) { (void)log; }

int __real_FW_Log(Eventinfo *lf);

/* What it returns says before 4.2.0 whether the event goes on to the rules. */
int __wrap_FW_Log(Eventinfo *lf)
{
    if (lf->action && lf->srcip && lf->dstip && lf->protocol) {
        __real_FW_Log(lf);
    }
    return 1;
}

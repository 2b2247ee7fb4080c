/* Before 4.2.0 a rule that correlates points at the texts of the lines that it last found, which go when the engine
 * forgets those. An alert that another server sends, and that names such a rule, would be written with them. */
#include "shared.h"
#include "eventinfo.h"
#include "state.h"

void __real_OS_Log(Eventinfo *lf);

void __wrap_OS_Log(Eventinfo *lf)
{
    if (shim_events > 0 && lf->decoder_info->type == OSSEC_ALERT && lf->generated_rule->last_events != NULL) {
        lf->generated_rule->last_events[0] = lf->generated_rule->last_events[1] = NULL;
    }
    __real_OS_Log(lf);
    shim_alerts++;
}

/* An alert that another OSSEC server sends as syslog, "ossec: Alert Level: 3; Rule: 502 - ...", becomes this one's.
 * Anyone who may send syslog can write such a line. The engine makes a file named after the line's host for each,
 * loses the memory of every address but the last, and never frees an event of a rule that does not alert. So the
 * file is one a sender, and a line that no OSSEC server would send is analysed like any other. */
#include <string.h>

#include "shared.h"
#include "eventinfo.h"
#include "analysisd.h"

void *__real_OSSECAlert_Decoder_Exec(Eventinfo *lf);

static int more_than_once(const char *text, const char *mark)
{
    const char *first = strstr(text, mark);
    return first != NULL && strstr(first + 1, mark) != NULL;
}

void *__wrap_OSSECAlert_Decoder_Exec(Eventinfo *lf)
{
    static char file_name[] = "relayed";
    char *hostname = lf->hostname;

    lf->generated_rule = NULL;
    if (!more_than_once(lf->log, "; srcip: ") && !more_than_once(lf->log, "; user: ")) {
        lf->hostname = file_name;
        __real_OSSECAlert_Decoder_Exec(lf);
        if (lf->hostname == file_name) {
            lf->hostname = hostname;
        }
    }
    if (lf->generated_rule != NULL && lf->generated_rule->level == 0) {
        lf->generated_rule = NULL;
    }
    if (lf->generated_rule == NULL) {
        lf->decoder_info = NULL_Decoder;
    }
    return NULL;
}

/* An alert that another OSSEC server sends as syslog, "ossec: Alert Level: 3; Rule: 502 - ...", becomes this one's.
 * Anyone who may send syslog can write such a line. The engine makes a file named after the line's host for each,
 * loses the memory of every address but the last, and never frees an event of a rule that does not alert. Before 4.0.0
 * the program's name is left pointing into memory that was freed. So the file is one a sender, the name a copy, and a
 * line that no OSSEC server would send is analysed like any other. */
#include <string.h>

#include "shared.h"
#include "eventinfo.h"
#include "analysisd.h"
#include "literals.h"

void *__real_OSSECAlert_Decoder_Exec(Eventinfo *lf);

static int more_than_once(const char *text, const char *mark)
{
    const char *first = strstr(text, mark);
    return first != NULL && strstr(first + 1, mark) != NULL;
}

void *__wrap_OSSECAlert_Decoder_Exec(Eventinfo *lf)
{
    static char file_name[] = "relayed";
    static char name_copy[64];
    char *hostname = lf->hostname, *program_name = lf->program_name;

    lf->generated_rule = NULL;
    if (!more_than_once(lf->log, "; srcip: ") && !more_than_once(lf->log, "; user: ") &&
        (program_name == NULL || strlen(program_name) < sizeof(name_copy))) {
        lf->hostname = file_name;
        lf->program_name = program_name == NULL ? NULL : strcpy(name_copy, program_name);
        literals_of(NULL); /* it puts another line there */
        __real_OSSECAlert_Decoder_Exec(lf);
        if (lf->hostname == file_name) {
            lf->hostname = hostname;
        }
        if (lf->generated_rule == NULL && lf->program_name == name_copy) {
            lf->program_name = program_name;
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

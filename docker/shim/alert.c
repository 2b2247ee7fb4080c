/* The engine writes an alert's fields and then the log line, one a line, and its readers tell them apart by how they
 * begin. A log line that begins as a field does, "User: " or "Rule: ", changes what ossec-maild mails; "** Alert" hides
 * the alert or makes another of it. Here such a line is written with a space before it.
 *
 * Before 4.2.0 a rule that correlates points at the texts of the lines that it last found, which go when the engine
 * forgets those. An alert that another server sends, and that names such a rule, would be written with them. */
#include <string.h>

#include "shared.h"
#include "eventinfo.h"
#include "state.h"

#define WRITTEN 1300 /* more than the engine writes of a line */
#define MOST_LASTS 16 /* more than MAX_LAST_EVENTS */

/* The lines before it that a rule has counted. From 4.2 on the event has a copy of its own. */
#ifdef EF_ASYNC_COPY
#define LAST_EVENTS(lf) ((lf)->alert_last_events)
#else
#define LAST_EVENTS(lf) ((lf)->generated_rule->last_events)
#endif

/* GetAlertData() in upstream's read-alert.c. */
static const char *const fields[] = {
    "** Alert", "Rule: ", "Src IP: ", "Src Location: ", "Src Port: ", "Dst IP: ", "Dst Location: ", "Dst Port: ",
    "User: ", "Old md5sum was: ", "New md5sum is : ", "Old sha1sum was: ", "New sha1sum is : ", "Size changed from ",
    "Ownership was ", "Group ownership was ", "Permissions changed from ", "Integrity checksum changed for: ", NULL,
};

static char *apart(char *line, char *copy)
{
    for (int i = 0; fields[i] != NULL; i++) {
        if (strncmp(line, fields[i], strlen(fields[i])) == 0) {
            snprintf(copy, WRITTEN, " %s", line);
            return copy;
        }
    }
    return line;
}

void __real_OS_Log(Eventinfo *lf);

void __wrap_OS_Log(Eventinfo *lf)
{
    char copies[MOST_LASTS + 1][WRITTEN], *line = lf->full_log, *before[MOST_LASTS];
    char **lasts = LAST_EVENTS(lf);
    int count = 0;

    if (shim_events > 0 && lf->decoder_info->type == OSSEC_ALERT && lasts != NULL) {
        lasts[0] = lasts[1] = NULL;
    }
    lf->full_log = apart(line, copies[MOST_LASTS]);
    while (lasts != NULL && count < MOST_LASTS && lasts[count] != NULL) {
        before[count] = lasts[count];
        lasts[count] = apart(before[count], copies[count]);
        count++;
    }
    __real_OS_Log(lf);
    lf->full_log = line;
    while (count-- > 0) {
        if (lasts[count] != NULL) { /* it may have taken away the first */
            lasts[count] = before[count];
        }
    }
    shim_alerts++;
}

/* The engine writes an alert's fields and then the log line, one a line, and its readers tell them apart by how they
 * begin. A log line that begins as a field does, "User: " or "Rule: ", changes what ossec-maild mails; "** Alert" hides
 * the alert or makes another of it. Here such a line is written with a space before it.
 *
 * A rule that correlates keeps the texts of the lines that it last found, until the alert is written; before 4.2.0 it
 * points at them, and they go when the engine forgets the lines. An alert that another server sends, and that names such
 * a rule, would be written with them. From 4.2.0 on the alert takes them over, as alerts.log and alerts.json both show
 * them. */
#include <string.h>

#include "shared.h"
#include "eventinfo.h"
#include "counts.h"

#define WRITTEN 1300 /* more than the engine writes of a line */
#define MOST_LASTS 16 /* more than MAX_LAST_EVENTS */

/* The lines before it that the rule has counted, or NULL. */
#ifdef EF_ASYNC_COPY
static char **last_events(Eventinfo *lf)
{
    if (lf->alert_last_events == NULL && lf->decoder_info->type == OSSEC_ALERT) {
        os_calloc(MAX_LAST_EVENTS + 1, sizeof(char *), lf->alert_last_events);
    } else if (lf->alert_last_events == NULL) {
        OS_MoveRuleLastEvents(lf->generated_rule, lf);
    }
    return lf->alert_last_events;
}
#else
static char **last_events(Eventinfo *lf)
{
    char **lasts = lf->generated_rule->last_events;

    if (lf->decoder_info->type == OSSEC_ALERT && lasts != NULL) {
        lasts[0] = lasts[1] = NULL;
    }
    return lasts;
}
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
    char **lasts = last_events(lf);
    int count = 0;

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

#include "shared.h"
#include "file-queue.h"

static void add_line(alert_data *alert, const char *line, int lines)
{
    alert->log = must(realloc(alert->log, (lines + 2) * sizeof(*alert->log)));
    alert->log[lines] = must(strndup(line, strcspn(line, "\n")));
    alert->log[lines + 1] = NULL;
}

static void forget(alert_data *alert)
{
    for (char **line = alert->log; line != NULL && *line != NULL; line++) {
        free(*line);
    }
    free(alert->log);
    free(alert->date);
    memset(alert, 0, sizeof(*alert));
}

alert_data *GetAlertData(int flag, FILE *fp)
{
    alert_data *alert = must(calloc(1, sizeof(*alert)));
    char line[8192];
    long whole = ftell(fp);
    int number = -1; /* of the line in its alert; -1 between two alerts */

    clearerr(fp);
    while (fgets(line, sizeof(line), fp) != NULL && strchr(line, '\n') != NULL) {
        if (strncmp(line, "** Alert ", 9) == 0) {
            forget(alert);
            alert->mail = strstr(line, ": mail ") != NULL;
            number = 0;
        } else if (line[0] == '\n') {
            whole = ftell(fp);
            if (number > 2 && (alert->mail || !(flag & CRALERT_MAIL_SET))) {
                return alert;
            }
            number = -1;
        } else if (number == 0) { /* 2026 Nov 23 04:50:00 web1->192.0.2.1 */
            sscanf(line, "%*20c %299s", alert->location);
            alert->date = must(strndup(line, 20));
            number++;
        } else if (number == 1) { /* Rule: 5716 (level 5) -> 'SSHD authentication failed.' */
            sscanf(line, "Rule: %u (level %u) -> '%159[^']", &alert->rule, &alert->level, alert->comment);
            number++;
        } else if (number > 1) {
            add_line(alert, line, number++ - 2);
        }
    }
    FreeAlertData(alert);
    fseek(fp, whole, SEEK_SET); /* back before an alert that is still being written */
    return NULL;
}

void FreeAlertData(alert_data *al_data)
{
    forget(al_data);
    free(al_data);
}

void Init_FileQueue(file_queue *fileq, const struct tm *p, int flags)
{
    char path[128];

    strftime(path, sizeof(path), ALERTS "/%Y/%b/ossec-alerts-%d.log", p);
    fileq->flags = flags;
    fileq->day = p->tm_mday;
    if ((fileq->fp = fopen(path, "r")) != NULL) {
        fseek(fileq->fp, 0, SEEK_END);
    }
}

alert_data *Read_FileMon(file_queue *fileq, const struct tm *p, unsigned int timeout)
{
    alert_data *alert = NULL;

    if (fileq->fp != NULL && p->tm_mday != fileq->day) {
        if ((alert = GetAlertData(fileq->flags, fileq->fp)) != NULL) {
            return alert;
        }
        fclose(fileq->fp);
        fileq->fp = NULL;
    }
    if (fileq->fp == NULL) {
        Init_FileQueue(fileq, p, fileq->flags);
    }
    if (fileq->fp == NULL) {
        sleep(1);
        return NULL;
    }
    while (timeout-- > 0 && (alert = GetAlertData(fileq->flags, fileq->fp)) == NULL) {
        sleep(1);
    }
    return alert;
}

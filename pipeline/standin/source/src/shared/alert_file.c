#include "shared.h"
#include "file-queue.h"

static void add_line(alert_data *alert, const char *line, int lines)
{
    alert->log = must(realloc(alert->log, (lines + 2) * sizeof(*alert->log)));
    alert->log[lines] = must(strndup(line, strcspn(line, "\n")));
    alert->log[lines + 1] = NULL;
}

/* The image's shim hands over one alert at a time, and has looked at its flags. */
alert_data *GetAlertData(int flag, FILE *fp)
{
    alert_data *alert = must(calloc(1, sizeof(*alert)));
    char line[8192];
    int number = 0;

    for (; fgets(line, sizeof(line), fp) != NULL && line[0] != '\n'; number++) {
        if (number == 1) { /* 2026 Nov 23 04:50:00 web1->192.0.2.1 */
            sscanf(line, "%*20c %299s", alert->location);
            alert->date = must(strndup(line, 20));
        } else if (number == 2) { /* Rule: 5716 (level 5) -> 'SSHD authentication failed.' */
            sscanf(line, "Rule: %u (level %u) -> '%159[^']", &alert->rule, &alert->level, alert->comment);
        } else if (number > 2) {
            add_line(alert, line, number - 3);
        }
    }
    if (number > 3) {
        return alert;
    }
    FreeAlertData(alert);
    return NULL;
}

void FreeAlertData(alert_data *al_data)
{
    for (char **line = al_data->log; line != NULL && *line != NULL; line++) {
        free(*line);
    }
    free(al_data->log);
    free(al_data->date);
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

/* The shim has one that goes from file to file; this stands behind it for whoever is not ossec-maild, so for nobody. */
alert_data *Read_FileMon(file_queue *fileq, const struct tm *p, unsigned int timeout) { return NULL; }

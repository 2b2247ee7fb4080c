/* maild: in place of ossec-maild, reads alerts by docker/shim/mail.c. For each line on standard input it reads what is there
 * now, and prints of each alert its date, which holds the position, and its log. At the line "end" it has been asked to end. */
#include "shared.h"
#include "file-queue.h"
#include "waits.h"

volatile sig_atomic_t shim_ending;

/* Who waits for more is asked to end. */
unsigned int sleep(unsigned int seconds)
{
    shim_ending = 1;
    return seconds;
}

int nanosleep(const struct timespec *moment, struct timespec *left)
{
    (void)moment, (void)left;
    shim_ending = 1;
    return 0;
}

alert_data *__wrap_Read_FileMon(file_queue *fileq, const struct tm *p, unsigned int timeout);

alert_data *__real_Read_FileMon(file_queue *fileq, const struct tm *p, unsigned int timeout)
{
    (void)fileq, (void)p, (void)timeout;
    abort();
}

/* One alert, from "** Alert" to the empty line, as far as this looks into it. */
alert_data *GetAlertData(int flags, FILE *file)
{
    char line[8192], before[8192] = "";
    int inside = 0;

    (void)flags;
    while (fgets(line, sizeof(line), file) != NULL) {
        if (inside && strcmp(line, "\n") == 0) {
            alert_data *alert = malloc(sizeof(*alert));

            alert->date = strdup("date");
            alert->log = calloc(2, sizeof(*alert->log));
            alert->log[0] = strdup(before);
            return alert;
        }
        inside |= strncmp(line, "** Alert", 8) == 0;
        strcpy(before, line);
    }
    return NULL;
}

int main(void)
{
    file_queue queue = {NULL, CRALERT_MAIL_SET};
    char line[64];

    while (fgets(line, sizeof(line), stdin) != NULL) {
        time_t now = time(NULL);
        struct tm today = *localtime(&now);
        alert_data *alert;

        shim_ending = strcmp(line, "end\n") == 0;
        while ((alert = __wrap_Read_FileMon(&queue, &today, 0)) != NULL) {
            size_t n = 0;

            for (; alert->log[n + 1] != NULL; n++) {
                fprintf(stderr, "above alert: %s\n", alert->log[n]);
                free(alert->log[n]);
            }
            printf("%s %s", alert->date, alert->log[n]);
            free(alert->log[n]);
            free(alert->log);
            free(alert->date);
            free(alert);
        }
        puts(".");
        fflush(stdout);
    }
    if (queue.fp != NULL) {
        fclose(queue.fp);
    }
    return 0;
}

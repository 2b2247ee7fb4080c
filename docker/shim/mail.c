/* What ossec-maild reads. Stock opens the day's alerts.log at its end, so what was written while it was away is never
 * mailed, and neither is what it had read and not sent when it was killed. It waits up to 90 s before it looks at its
 * signals or at the date, takes half an alert for a whole one, and beyond 96 alerts that wait for their mail it forgets
 * the oldest.
 *
 * Here each alert carries, in its date, the position behind it: the day and the offset in that day's file. The program
 * that maild hands its mails to (lib/ossec-log-server/mail/sendmail) takes them out and keeps the last one on the volume once
 * the mail is in the queue; from there it goes on after a restart. While MOST alerts wait for their mail, the next
 * ones wait in the file. */
#define _GNU_SOURCE
#include <time.h>

#include "mail_files.h"
#include "waits.h"

#ifndef POSITION /* another, for tests */
#define POSITION "/var/ossec/data/queue/mail/position"
#endif
#define LONGEST_WAIT 5 /* seconds; also how long maild waits for more alerts to put into the same mail */
#define MOST 90        /* below MAIL_LIST_SIZE in upstream's maild.h */
#define MOST_WAITING 20000 /* alerts that are to be mailed: days of mail, where there are more than mails may carry */

static struct mail_files files;
static char last[MAIL_POSITION_SIZE]; /* the position behind the last alert that was read */
static int unmailed;                  /* how many were read since the queue had all of them */
static int keeping;                   /* whether there is a position to go on from, and to note */
static int waiting;                   /* alerts that are to be mailed, up to the offset `counted` of that day's file */
static long counted, counted_date;

static int not_mailed;                /* left out, and nobody was told by mail yet */

alert_data *__real_Read_FileMon(file_queue *fileq, const struct tm *p, unsigned int timeout);

/* The kept position as a line; 0, or -1 if there is none. */
static int read_position(char *line, int size)
{
    FILE *file = fopen(POSITION, "r");

    line[0] = '\0';
    if (file == NULL) {
        return errno == ENOENT ? -1 : 0;
    }
    if (fgets(line, size, file) == NULL) {
        line[0] = '\0';
    }
    fclose(file);
    return 0;
}

/* Whether the line begins an alert that is to be mailed: "** Alert 1764140400.77: mail  - groups". */
static int is_to_be_mailed(const char *line)
{
    const char *colon = strncmp(line, "** Alert ", 9) == 0 ? strchr(line, ':') : NULL;

    return colon != NULL && strncmp(colon, ": mail ", 7) == 0;
}

/* Goes on behind the oldest alerts to be mailed where more than MOST_WAITING of them wait. */
static void not_too_far_behind(FILE *open_one)
{
    char line[4096];
    long from = files.places[0].offset;
    int left_out = 0;
    FILE *file = NULL;

    if (open_one != NULL) { /* with a place of its own, as the other's is not its stream's */
        snprintf(line, sizeof(line), "/proc/self/fd/%d", fileno(open_one));
        file = fopen(line, "r");
    }
    if (file == NULL) {
        return;
    }
    if (counted < from || counted_date != files.places[0].date) {
        counted = from;
        counted_date = files.places[0].date;
        waiting = 0;
    }
    fseek(file, counted, SEEK_SET);
    while (fgets(line, sizeof(line), file) != NULL) {
        waiting += is_to_be_mailed(line);
    }
    clearerr(file);
    counted = ftell(file);
    fseek(file, from, SEEK_SET);
    while (waiting > MOST_WAITING && fgets(line, sizeof(line), file) != NULL) {
        if (is_to_be_mailed(line)) {
            waiting--;
            left_out++;
        }
    }
    while (left_out > 0 && fgets(line, sizeof(line), file) != NULL && line[0] != '\n') {
    }
    clearerr(file);
    if (left_out > 0) {
        not_mailed += left_out;
        mail_files_go_on(&files, open_one, ftell(file));
        fprintf(stderr, "ossec-log-server: %d alerts were not mailed: more than %d waited, which is more than the mails per "
                        "hour may carry; logs/alerts has them\n", left_out, MOST_WAITING);
    }
    fclose(file);
}

/* To the kept position. Without one, nobody keeps it: maild reads on from the end of its file, as stock does. */
static void begin(file_queue *fileq, const struct tm *today)
{
    char line[MAIL_POSITION_SIZE];
    struct stat status;

    keeping = read_position(line, sizeof(line)) == 0;
    mail_files_begin(&files, today);
    if (!keeping) {
        if (fileq->fp != NULL && fstat(fileno(fileq->fp), &status) == 0) {
            files.places[0].offset = ftell(fileq->fp);
            files.places[0].inode = (unsigned long)status.st_ino;
        }
        return;
    }
    if (mail_files_read(&files, line) != 0) {
        fprintf(stderr, "ossec-log-server: %s is not in the form of a position, so the alerts of today are mailed again\n",
                POSITION);
    }
    if (fileq->fp != NULL) {
        fclose(fileq->fp);
    }
    fileq->fp = mail_files_open(&files); /* or it is compressed by now, and the next one follows */
    not_too_far_behind(fileq->fp);
}

static alert_data *next_alert(file_queue *fileq)
{
    for (;;) {
        /* Looked at first: once the engine writes another, nothing more is written to the open one. */
        int moved = mail_files_have_moved(&files);
        alert_data *alert = NULL;
        FILE *next;

        if (fileq->fp == NULL) {
            fileq->fp = mail_files_open(&files);
        }
        if (fileq->fp != NULL) {
            alert = mail_files_alert(&files, fileq->fp, fileq->flags);
        }
        if (alert != NULL && waiting > 0 && files.places[0].date == counted_date && files.places[0].offset <= counted) {
            waiting--;
        }
        if (alert != NULL || (fileq->fp != NULL && !moved) || (next = mail_files_next(&files)) == NULL) {
            return alert;
        }
        if (fileq->fp != NULL) {
            fclose(fileq->fp);
        }
        fileq->fp = next;
    }
}

/* Notes the position in the alert's date, between two characters that no log line has. */
static void note(alert_data *alert)
{
    size_t size = strlen(alert->date) + sizeof(last) + 2;
    char *dated = malloc(size);

    if (dated != NULL) {
        mail_files_write(&files, last, sizeof(last));
        snprintf(dated, size, "%s\001%s\001", alert->date, last);
        free(alert->date);
        alert->date = dated;
        unmailed++;
    }
}

/* Who reads the mails need not read the server's log: the next alert's mail says it above the alert's own lines. */
static void tell_not_mailed(alert_data *alert)
{
    size_t lines = 0;
    char **more, *told;

    while (alert->log != NULL && alert->log[lines] != NULL) {
        lines++;
    }
    if (asprintf(&told, "(ossec-log-server: %d alerts before this one were not mailed, as more than %d waited; logs/alerts on "
                        "the data volume has them)", not_mailed, MOST_WAITING) < 0) {
        return;
    }
    if ((more = realloc(alert->log, (lines + 2) * sizeof(*more))) == NULL) {
        free(told);
        return;
    }
    memmove(more + 1, more, lines * sizeof(*more));
    more[0] = told;
    more[lines + 1] = NULL;
    alert->log = more;
    not_mailed = 0;
}

static int all_mailed(void)
{
    char kept[MAIL_POSITION_SIZE];

    read_position(kept, sizeof(kept));
    kept[strcspn(kept, "\n")] = '\0';
    return strcmp(kept, last) == 0;
}

alert_data *__wrap_Read_FileMon(file_queue *fileq, const struct tm *p, unsigned int timeout)
{
    static int begun;
    const struct timespec moment = {0, 20000000};
    alert_data *alert;

    if (!(fileq->flags & CRALERT_MAIL_SET)) { /* not ossec-maild */
        return __real_Read_FileMon(fileq, p, timeout);
    }
    if (!begun++) {
        begin(fileq, p);
    }
    if (shim_ending) { /* what it has read is mailed; the rest waits in the file, however much that is */
        return NULL;
    }
    if (unmailed == MOST) { /* maild is to send them now, and is told once that there is no more */
        unmailed++;
        return NULL;
    }
    for (int waited = 0; unmailed > MOST; waited++) {
        if (all_mailed()) {
            unmailed = 0;
            not_too_far_behind(fileq->fp);
        } else if (shim_ending || waited == LONGEST_WAIT * 50) {
            return NULL;
        } else {
            nanosleep(&moment, NULL);
        }
    }
    for (int waited = 0; (alert = next_alert(fileq)) == NULL; waited++) {
        if (shim_ending || waited == LONGEST_WAIT) {
            return NULL;
        }
        sleep(1);
    }
    if (not_mailed > 0) {
        tell_not_mailed(alert);
    }
    if (keeping) {
        note(alert);
    }
    return alert;
}

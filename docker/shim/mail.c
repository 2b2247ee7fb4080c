/* What ossec-maild reads. Stock opens the day's alerts.log at its end, so what was written while it was away is never
 * mailed, and neither is what it had read and not sent when it was killed. It waits up to 90 s before it looks at its
 * signals or at the date, takes half an alert for a whole one, and beyond 96 alerts that wait for their mail it forgets
 * the oldest.
 *
 * Here each alert carries, in its date, the position behind it: the day and the offset in that day's file. The program
 * that maild hands its mails to (lib/ossec-log-server/sendmail) takes them out and keeps the last one on the volume once
 * the mail is in the queue; from there it goes on after a restart. While MOST alerts wait for their mail, the next
 * ones wait in the file. */
#include <time.h>

#include "shared.h"
#include "file-queue.h"
#include "waits.h"

#define DAY_FILE "/var/ossec/logs/alerts/%Y/%b/ossec-alerts-%d.log"
#define POSITION "/var/ossec/data/queue/mail/position"
#define POSITION_SIZE 40
#define LONGEST_WAIT 5 /* seconds; also how long maild waits for more alerts to put into the same mail */
#define MOST 90        /* below MAIL_LIST_SIZE in upstream's maild.h */
#define FARTHEST_BEHIND 4000000 /* bytes; days of mail, where there are more alerts than mails may carry */

static struct tm day;             /* of the file that is open */
static char last[POSITION_SIZE];  /* the position behind the last alert that was read */
static int unmailed;              /* how many were read since the queue had all of them */
static int keeping;               /* whether there is a position to go on from, and to note */

alert_data *__real_Read_FileMon(file_queue *fileq, const struct tm *p, unsigned int timeout);

static FILE *open_day(struct tm *which)
{
    char path[128];

    mktime(which); /* the 32nd is the first */
    strftime(path, sizeof(path), DAY_FILE, which);
    return fopen(path, "r");
}

static long size_of(FILE *file)
{
    struct stat status;
    return fstat(fileno(file), &status) == 0 ? (long)status.st_size : 0;
}

/* Between two alerts, at or behind the offset. */
static void go_to(FILE *file, long offset)
{
    char line[4096];

    fseek(file, offset - 1, SEEK_SET);
    while (offset > 0 && fgets(line, sizeof(line), file) != NULL && line[0] != '\n') {
    }
    clearerr(file);
}

static void not_too_far_behind(FILE *file)
{
    long from = ftell(file), to = size_of(file) - FARTHEST_BEHIND;

    if (from < to) {
        go_to(file, to);
        fprintf(stderr, "ossec-log-server: %ld bytes of alerts were not mailed: they are more than the mails per hour may "
                        "carry; logs/alerts has them\n", ftell(file) - from);
    }
}

static int before(const struct tm *one, const struct tm *other)
{
    return one->tm_year < other->tm_year || (one->tm_year == other->tm_year && one->tm_yday < other->tm_yday);
}

/* To the kept position. Without one, nobody keeps it: maild reads on from the end of its file, as stock does. */
static void begin(file_queue *fileq, const struct tm *today)
{
    struct tm kept = {.tm_hour = 12, .tm_isdst = -1};
    FILE *file = fopen(POSITION, "r");
    long offset;

    day = *today;
    if (file == NULL) {
        return;
    }
    keeping = fscanf(file, "%d-%d-%d %ld", &kept.tm_year, &kept.tm_mon, &kept.tm_mday, &offset) == 4;
    fclose(file);
    kept.tm_year -= 1900;
    kept.tm_mon -= 1;
    mktime(&kept);
    if (!keeping || before(today, &kept)) {
        return;
    }
    if (fileq->fp != NULL) {
        fclose(fileq->fp);
    }
    day = kept;
    fileq->fp = open_day(&day);
    if (fileq->fp != NULL) { /* or it is compressed by now, and the next one follows */
        fseek(fileq->fp, offset <= size_of(fileq->fp) ? offset : 0, SEEK_SET);
        not_too_far_behind(fileq->fp);
    }
}

/* The first file of a day after the open one's, up to today's; NULL where there is none. */
static FILE *open_next(struct tm *next, const struct tm *today)
{
    FILE *file = NULL;

    *next = day;
    next->tm_hour = 12;
    next->tm_isdst = -1;
    while (file == NULL && before(next, today)) {
        next->tm_mday++;
        file = open_day(next);
    }
    return file;
}

/* Back to before an alert that is still being written: the reader has taken it for the end of the file. */
static void step_back(FILE *file)
{
    char end[32768];
    long position = ftell(file);
    long start = position > (long)sizeof(end) ? position - (long)sizeof(end) : 0;
    ssize_t length = pread(fileno(file), end, (size_t)(position - start), start);

    while (length > 1 && (end[length - 1] != '\n' || end[length - 2] != '\n')) {
        length--;
    }
    fseek(file, length > 1 ? start + length : position, SEEK_SET);
}

static alert_data *next_alert(file_queue *fileq, const struct tm *today)
{
    for (;;) {
        struct tm next_day;
        /* Looked for first: once it is there, nothing more is written to the open one. */
        FILE *next = open_next(&next_day, today);
        alert_data *alert = fileq->fp != NULL ? GetAlertData(fileq->flags, fileq->fp) : NULL;

        if (fileq->fp == NULL && next == NULL) {
            next_day = *today;
            next = open_day(&next_day);
        }
        if (alert != NULL || next == NULL) {
            if (next != NULL) {
                fclose(next);
            }
            if (alert == NULL && fileq->fp != NULL) {
                step_back(fileq->fp);
            }
            return alert;
        }
        if (fileq->fp != NULL) {
            fclose(fileq->fp);
        }
        fileq->fp = next;
        day = next_day;
    }
}

/* Notes the position in the alert's date, between two characters that no log line has. */
static void note(alert_data *alert, FILE *file)
{
    size_t size = strlen(alert->date) + sizeof(last) + 2;
    char *dated = malloc(size);

    if (dated != NULL) {
        snprintf(last, sizeof(last), "%04d-%02d-%02d %ld", day.tm_year + 1900, day.tm_mon + 1, day.tm_mday, ftell(file));
        snprintf(dated, size, "%s\001%s\001", alert->date, last);
        free(alert->date);
        alert->date = dated;
        unmailed++;
    }
}

static int all_mailed(void)
{
    char kept[POSITION_SIZE] = "";
    FILE *file = fopen(POSITION, "r");

    if (file != NULL) {
        if (fgets(kept, sizeof(kept), file) == NULL) {
            kept[0] = '\0';
        }
        fclose(file);
    }
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
    for (int waited = 0; (alert = next_alert(fileq, p)) == NULL; waited++) {
        if (shim_ending || waited == LONGEST_WAIT) {
            return NULL;
        }
        sleep(1);
    }
    if (keeping) {
        note(alert, fileq->fp);
    }
    return alert;
}

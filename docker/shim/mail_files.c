#define _GNU_SOURCE
#include "mail_files.h"

#include <glob.h>

#ifndef FOLDER /* another, for tests */
#define FOLDER "/var/ossec/logs/alerts"
#endif
#define LIVE FOLDER "/alerts.log" /* a second name of the file that the engine writes */
#define LARGEST 262144            /* bytes of an alert; stock's are below 40,000 */
#define USUAL 16384
#define BEGIN "** Alert"

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

static int read_place(const char **text, struct mail_place *place)
{
    int year, month, day, end = 0;

    *place = (struct mail_place){0};
    if (sscanf(*text, "%4d-%2d-%2d %ld%n", &year, &month, &day, &place->offset, &end) != 4 || end == 0 || year < 1970 ||
        month < 1 || month > 12 || day < 1 || day > 31 || place->offset < 0) {
        return -1;
    }
    place->date = year * 10000L + month * 100 + day;
    *text += end;
    if (sscanf(*text, " %lu%n", &place->inode, &end) == 1 && (*text)[end] != '-') {
        *text += end;
    }
    return 0;
}

int mail_files_read(struct mail_files *f, const char *position)
{
    struct mail_files found = {0};
    int count = 0;

    do {
        if (count == MAIL_PLACES || read_place(&position, &found.places[count++]) != 0) {
            return -1;
        }
    } while (*position++ == ' ');
    if (strcmp(position - 1, "\n") != 0) {
        return -1;
    }
    *f = found;
    return 0;
}

void mail_files_write(const struct mail_files *f, char *position, size_t size)
{
    size_t length = 0;

    for (int i = 0; i < MAIL_PLACES && f->places[i].date != 0; i++) {
        const struct mail_place *place = &f->places[i];

        length += (size_t)snprintf(position + length, size - length, "%s%04ld-%02ld-%02ld %ld %lu", i > 0 ? " " : "",
                                   place->date / 10000, place->date / 100 % 100, place->date % 100, place->offset, place->inode);
    }
}

void mail_files_begin(struct mail_files *f, const struct tm *day)
{
    *f = (struct mail_files){0};
    f->places[0].date = (day->tm_year + 1900) * 10000L + (day->tm_mon + 1) * 100 + day->tm_mday;
}

static unsigned long inode_of(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 ? (unsigned long)status.st_ino : 0;
}

static long size_of(FILE *file)
{
    struct stat status;

    return fstat(fileno(file), &status) == 0 ? (long)status.st_size : 0;
}

/* The end of the last whole alert up to there. */
static long last_end(FILE *file, long until)
{
    static char part[LARGEST];
    long from = until > (long)sizeof(part) ? until - (long)sizeof(part) : 0;
    ssize_t length = pread(fileno(file), part, (size_t)(until - from), from);

    while (length > 1 && (part[length - 1] != '\n' || part[length - 2] != '\n')) {
        length--;
    }
    return length > 1 ? from + length : from;
}

/* Nothing is read through the stream, as its buffer would keep what the engine cuts off when it starts. The descriptor tells
 * others how far this is (`has_read` in the start-up script). */
void mail_files_go_on(struct mail_files *f, FILE *file, long offset)
{
    f->places[0].offset = offset;
    lseek(fileno(file), offset, SEEK_SET);
}

FILE *mail_files_open(struct mail_files *f)
{
    struct mail_place *place = &f->places[0];
    char path[128];
    unsigned long inode;
    FILE *file;

    snprintf(path, sizeof(path), FOLDER "/%ld/%.3s/ossec-alerts-%02ld.log", place->date / 10000,
             months + 3 * (place->date / 100 % 100 - 1), place->date % 100);
    file = fopen(path, "r");
    if (file == NULL) {
        *place = (struct mail_place){.date = place->date};
        return NULL;
    }
    inode = inode_of(path);
    if (place->inode != 0 && place->inode != inode) {
        place->offset = 0; /* another file of that day, as the clock was set back */
    } else if (place->offset > size_of(file)) {
        place->offset = last_end(file, size_of(file)); /* a power failure took the end of it */
    }
    place->inode = inode;
    mail_files_go_on(f, file, place->offset);
    return file;
}

/* The date of FOLDER/2026/Nov/ossec-alerts-23.log, 0 if there is none. */
static long date_of(const char *path)
{
    int year, day, end = 0;
    char month[4];
    const char *found;

    if (sscanf(path, FOLDER "/%4d/%3[A-Za-z]/ossec-alerts-%2d.log%n", &year, month, &day, &end) != 3 || end == 0 ||
        path[end] != '\0' || strlen(month) != 3 || (found = strstr(months, month)) == NULL || (found - months) % 3 != 0) {
        return 0;
    }
    return year * 10000L + ((found - months) / 3 + 1) * 100 + day;
}

/* Makes it the first, with what is known of it. */
static void go_to(struct mail_files *f, long date)
{
    struct mail_place place = {.date = date};
    int i = 0;

    while (i < MAIL_PLACES - 1 && f->places[i].date != 0 && f->places[i].date != date) {
        i++;
    }
    if (f->places[i].date == date) {
        place = f->places[i];
    }
    memmove(f->places + 1, f->places, (size_t)i * sizeof(place));
    f->places[0] = place;
}

/* Whether there is something to read in that file, which is not the first place's. */
static int has_more(const struct mail_files *f, long date, const char *path, unsigned long live)
{
    struct stat status;

    if (stat(path, &status) != 0) {
        return 0;
    }
    for (int i = 1; i < MAIL_PLACES; i++) {
        if (f->places[i].date == date) {
            return status.st_size > f->places[i].offset || (unsigned long)status.st_ino == live ||
                   (unsigned long)status.st_ino != f->places[i].inode;
        }
    }
    /* What is older was read before. */
    return date > f->places[0].date || (unsigned long)status.st_ino == live;
}

int mail_files_have_moved(const struct mail_files *f)
{
    unsigned long live = inode_of(LIVE);

    return live != 0 && live != f->places[0].inode;
}

FILE *mail_files_next(struct mail_files *f)
{
    unsigned long live = inode_of(LIVE);
    FILE *file = NULL;
    glob_t found;
    long best = 0;

    if (glob(FOLDER "/[0-9]*/*/ossec-alerts-*.log", 0, NULL, &found) != 0) {
        return NULL;
    }
    /* Of several, the one that follows; or the oldest. */
    for (size_t i = 0; i < found.gl_pathc; i++) {
        long date = date_of(found.gl_pathv[i]);

        if (date != 0 && date != f->places[0].date && has_more(f, date, found.gl_pathv[i], live) && (best == 0 || date < best)) {
            best = date;
        }
    }
    globfree(&found);
    if (best != 0) {
        go_to(f, best);
        file = mail_files_open(f);
    }
    return file;
}

static void tell_left_out(const struct mail_files *f, long offset, long length)
{
    static long told;

    if (offset != told) {
        fprintf(stderr, "ossec-log-server: in the alerts of %ld, %ld bytes from %ld on are no whole alert, and are not mailed\n",
                f->places[0].date, length, offset);
        told = offset;
    }
}

/* In a text up to the end of an alert: where that alert begins, with nothing damaged behind it; -1 for nowhere. */
static long beginning(const char *text, long end)
{
    const char *nul = memrchr(text, '\0', (size_t)end), *from = nul != NULL ? nul + 1 : text, *found = NULL;

    for (const char *at = from; (at = memmem(at, (size_t)(text + end - at), BEGIN, sizeof(BEGIN) - 1)) != NULL; at++) {
        if (at == from || at[-1] == '\n') {
            found = at; /* the last, as a half one may stand before it */
        }
    }
    return found != NULL ? found - text : -1;
}

/* "** Alert 1700000000.1234: mail  - group" */
static int is_to_mail(const char *alert, int flags)
{
    const char *space = strchr(alert + sizeof(BEGIN), ' ');

    return !(flags & CRALERT_MAIL_SET) || (space != NULL && strncmp(space + 1, "mail", 4) == 0);
}

/* What stands there, with its end, as far as there is one. */
static ssize_t read_alert(FILE *file, long offset, char *text, const char **end)
{
    ssize_t length = pread(fileno(file), text, USUAL, offset);

    *end = length > 0 ? memmem(text, (size_t)length, "\n\n", 2) : NULL;
    if (*end == NULL && length == USUAL) {
        length = pread(fileno(file), text, LARGEST, offset);
        *end = length > 0 ? memmem(text, (size_t)length, "\n\n", 2) : NULL;
    }
    return length;
}

static alert_data *parse(char *text, long length, int flags)
{
    FILE *alone = fmemopen(text, (size_t)length, "r");
    alert_data *alert = NULL;

    if (alone != NULL) {
        alert = GetAlertData(flags, alone);
        fclose(alone);
    }
    return alert;
}

alert_data *mail_files_alert(struct mail_files *f, FILE *file, int flags)
{
    static char text[LARGEST + 1];

    for (;;) {
        long offset = f->places[0].offset, end, from;
        const char *found;
        ssize_t length = read_alert(file, offset, text, &found);
        alert_data *alert;

        if (length <= 0) {
            if (length == 0 && size_of(file) < offset) {
                mail_files_go_on(f, file, last_end(file, size_of(file))); /* the engine has cut off what was no alert */
            }
            return NULL;
        }
        text[length] = '\0';
        if (found == NULL && length < LARGEST) {
            return NULL; /* it is being written */
        }
        end = found != NULL ? found - text + 2 : length;
        from = found != NULL ? beginning(text, end) : -1;
        if (from != 0 && (from > 1 || end > 2)) {
            tell_left_out(f, offset, from > 0 ? from : end);
        }
        if (from < 0 || !is_to_mail(text + from, flags)) {
            mail_files_go_on(f, file, offset + end);
            continue;
        }
        mail_files_go_on(f, file, offset + end);
        if ((alert = parse(text + from, end - from, flags)) != NULL) {
            return alert;
        }
    }
}

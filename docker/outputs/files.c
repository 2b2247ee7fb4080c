#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static const char *months = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* The date in FOLDER/2026/Nov/ossec-alerts-23.json, 0 if there is none. */
static long date_of(const char *path, size_t folder)
{
    int year, day;
    char month[4];
    const char *found;

    if (sscanf(path + folder, "/%4d/%3[A-Za-z]/ossec-alerts-%2d.json", &year, month, &day) != 3 ||
        (found = strstr(months, month)) == NULL || (found - months) % 3 != 0) {
        return 0;
    }
    return year * 10000L + ((found - months) / 3 + 1) * 100 + day;
}

static void path_of(const struct files *f, long date, const char *ending, char *path, size_t size)
{
    snprintf(path, size, "%s/%ld/%.3s/ossec-alerts-%02ld.json%s", f->folder, date / 10000, months + 3 * (date / 100 % 100 - 1),
             date % 100, ending);
}

static struct day *day_of(struct files *f, long date)
{
    for (int i = 0; i < DAYS; i++) {
        if (f->days[i].date == date) {
            return &f->days[i];
        }
    }
    return NULL;
}

static void close_file(struct files *f)
{
    if (f->file >= 0) {
        close(f->file);
    }
    if (f->packed != NULL) {
        gzclose(f->packed);
    }
    f->file = -1;
    f->packed = NULL;
    f->reading = NULL;
}

static void forget_oldest(struct files *f)
{
    memmove(f->days, f->days + 1, sizeof(f->days) - sizeof(f->days[0]));
    f->days[DAYS - 1].date = 0;
    f->since = f->days[0].date;
}

/* Puts a new date in order. */
static void remember(struct files *f, long date)
{
    int i = DAYS - 1;

    if (date == 0 || date < f->since || day_of(f, date) != NULL) {
        return;
    }
    if (f->days[i].date != 0) {
        if (date < f->days[0].date) {
            return;
        }
        forget_oldest(f);
    }
    for (; i > 0 && (f->days[i - 1].date == 0 || f->days[i - 1].date > date); i--) {
        f->days[i] = f->days[i - 1];
    }
    f->days[i] = (struct day){date, 0};
}

/* Looks for new files. None is open afterwards, as the days may have moved. */
static void look(struct files *f)
{
    char pattern[4096];
    glob_t found;

    close_file(f);
    snprintf(pattern, sizeof(pattern), "%s/[0-9]*/*/ossec-alerts-*.json*", f->folder);
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            remember(f, date_of(found.gl_pathv[i], strlen(f->folder)));
        }
        globfree(&found);
    }
}

static int open_file(struct files *f, struct day *day)
{
    char path[4096];

    close_file(f);
    path_of(f, day->date, "", path, sizeof(path));
    f->file = open(path, O_RDONLY | O_CLOEXEC);
    if (f->file < 0 && errno == ENOENT) {
        path_of(f, day->date, ".gz", path, sizeof(path));
        f->packed = gzopen(path, "re");
        if (f->packed == NULL) {
            return errno == ENOENT ? 0 : -1; /* gone, by a limit of age or size */
        }
    } else if (f->file < 0) {
        return -1;
    }
    f->reading = day;
    return 0;
}

/* From where the file was handed on to; 0 where there is no whole line, as one is being written. */
static long read_file(struct files *f, char *buffer, size_t size)
{
    struct stat st;
    long length;

    if (f->reading == NULL) {
        return 0;
    }
    if (f->packed == NULL && fstat(f->file, &st) == 0 && (uint64_t)st.st_size < f->reading->offset) {
        f->reading->offset = 0; /* another file of that day: the clock was set back, and the first is packed */
    }
    if (f->packed == NULL) {
        length = pread(f->file, buffer, size, (off_t)f->reading->offset);
    } else if (gzseek(f->packed, (z_off_t)f->reading->offset, SEEK_SET) < 0 ||
               (length = gzread(f->packed, buffer, (unsigned)size)) < 0) {
        fprintf(stderr, "ossec-output: the compressed alerts of %ld cannot be read, and are left out\n", f->reading->date);
        length = 0;
    }
    return length > 0 && (size_t)length < size && memchr(buffer, '\n', (size_t)length) == NULL ? 0 : length;
}

static uint64_t inode_of_newest(const struct files *f)
{
    struct stat st;
    char path[4096];

    snprintf(path, sizeof(path), "%s/alerts.json", f->folder);
    return stat(path, &st) == 0 ? st.st_ino : 0;
}

long files_read(struct files *f, char *buffer, size_t size)
{
    long length = read_file(f, buffer, size);
    uint64_t inode = inode_of_newest(f);

    if (length != 0 || inode == f->inode) {
        return length;
    }
    /* OSSEC has gone on to another file, so nothing more is written to this one. */
    look(f);
    for (struct day *day = f->days; day < f->days + DAYS && day->date != 0; day++) {
        if (open_file(f, day) != 0 || (length = read_file(f, buffer, size)) != 0) {
            return length != 0 ? length : -1;
        }
    }
    f->inode = inode; /* the newest stays open */
    return 0;
}

static int keep(const struct files *f)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof(path), "%s.new", f->position);
    if ((file = fopen(path, "we")) == NULL) {
        return -1;
    }
    fprintf(file, "handed_on %" PRIu64 "\nsince %ld\n", f->handed_on, f->since);
    for (int i = 0; i < DAYS && f->days[i].date != 0; i++) {
        fprintf(file, "%ld %" PRIu64 "\n", f->days[i].date, f->days[i].offset);
    }
    return fclose(file) != 0 ? -1 : rename(path, f->position);
}

int files_done(struct files *f, size_t length, uint64_t alerts)
{
    f->reading->offset += length;
    f->handed_on += alerts;
    while (f->days[RECENT].date != 0 && f->days[RECENT].offset != 0) {
        forget_oldest(f);
        f->reading--;
    }
    return keep(f);
}

static uint64_t length_of(const struct files *f, long date)
{
    char path[4096];
    unsigned char end[4];
    struct stat st;
    int file;

    path_of(f, date, "", path, sizeof(path));
    if (stat(path, &st) == 0) {
        return (uint64_t)st.st_size;
    }
    path_of(f, date, ".gz", path, sizeof(path));
    if ((file = open(path, O_RDONLY | O_CLOEXEC)) < 0 || fstat(file, &st) != 0 ||
        pread(file, end, sizeof(end), st.st_size - 4) != sizeof(end)) {
        memset(end, 0, sizeof(end));
    }
    if (file >= 0) {
        close(file);
    }
    /* gzip ends with the length of what it holds. */
    return end[0] | (uint64_t)end[1] << 8 | (uint64_t)end[2] << 16 | (uint64_t)end[3] << 24;
}

uint64_t files_waiting(struct files *f)
{
    uint64_t waiting = 0;

    look(f);
    for (int i = 0; i < DAYS && f->days[i].date != 0; i++) {
        uint64_t length = length_of(f, f->days[i].date);

        waiting += length > f->days[i].offset ? length - f->days[i].offset : 0;
    }
    return waiting;
}

int files_open(struct files *f, const char *folder, const char *position, int only_look)
{
    FILE *file = fopen(position, "re");
    struct day day;
    int count = 0;

    memset(f, 0, sizeof(*f));
    f->folder = folder;
    f->position = position;
    f->file = -1;
    if (file == NULL) {
        if (errno != ENOENT) {
            return -1;
        }
        look(f);
        for (int i = 0; i < DAYS && f->days[i].date != 0; i++) {
            f->days[i].offset = length_of(f, f->days[i].date);
            f->since = f->days[0].date;
        }
        return only_look ? 0 : keep(f);
    }
    if (fscanf(file, "handed_on %" SCNu64 " since %ld", &f->handed_on, &f->since) != 2) {
        fclose(file);
        errno = EBADMSG;
        return -1;
    }
    while (count < DAYS && fscanf(file, "%ld %" SCNu64, &day.date, &day.offset) == 2) {
        f->days[count++] = day;
    }
    fclose(file);
    return 0;
}

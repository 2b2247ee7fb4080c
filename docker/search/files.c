#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "search.h"

static long date_of(int64_t when)
{
    time_t at = (time_t)when;
    struct tm parts;

    localtime_r(&at, &parts);
    return (parts.tm_year + 1900) * 10000L + (parts.tm_mon + 1) * 100 + parts.tm_mday;
}

/* FOLDER/2026/Nov/ossec-alerts-23[-1].json[.gz]; the link alerts.json beside is the same file again. 0, or -1 for another. */
static int parse(struct day_file *f, const char *folder, const char *path, const char *kind, const char *ending)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int year, day, end = 0;
    char month[4], name[16];
    const char *found, *rest;

    if (sscanf(path + strlen(folder), "/%4d/%3[A-Za-z]/ossec-%15[a-z]-%2d%n", &year, month, name, &day, &end) != 4 || end == 0 ||
        strcmp(name, kind) != 0 || (found = strstr(months, month)) == NULL || (found - months) % 3 != 0) {
        return -1;
    }
    rest = path + strlen(folder) + end;
    f->part = 0;
    end = 0;
    if (sscanf(rest, "-%5d%n", &f->part, &end) == 1) {
        rest += end;
    }
    if (strncmp(rest, ending, strlen(ending)) != 0) {
        return -1;
    }
    rest += strlen(ending);
    f->packed = strcmp(rest, ".gz") == 0;
    f->date = year * 10000L + ((found - months) / 3 + 1) * 100 + day;
    snprintf(f->path, sizeof(f->path), "%s", path);
    return f->packed || *rest == '\0' ? 0 : -1;
}

static int older(const void *one, const void *other)
{
    const struct day_file *a = one, *b = other;

    if (a->date != b->date) {
        return a->date < b->date ? -1 : 1;
    }
    if (a->packed != b->packed) {
        return b->packed - a->packed;
    }
    return a->part - b->part;
}

static int begin_alike(const char *one, const char *other)
{
    char a[4096], b[4096];
    gzFile first = gzopen(one, "re"), second = gzopen(other, "re");
    int had = first != NULL ? gzread(first, a, sizeof(a)) : -1, has = second != NULL ? gzread(second, b, sizeof(b)) : -1;

    if (first != NULL) {
        gzclose(first);
    }
    if (second != NULL) {
        gzclose(second);
    }
    return had > 0 && had == has && memcmp(a, b, (size_t)had) == 0;
}

/* While a day is compressed, both are there: the compressed one goes. */
static size_t leave_out_copies(struct day_file *files, size_t count)
{
    size_t kept = 0;

    for (size_t n = 0; n < count; n++) {
        int is_copy = 0;

        for (size_t other = n + 1; files[n].packed && other < count && files[other].date == files[n].date; other++) {
            is_copy |= !files[other].packed && begin_alike(files[n].path, files[other].path);
        }
        if (!is_copy) {
            files[kept++] = files[n];
        }
    }
    return kept;
}

struct day_file *files_find(const struct query *q, size_t *count)
{
    char *roots[] = {(char *)q->folder, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    struct day_file *files = malloc(sizeof(*files)), *more;
    /* A day more on both sides: TZ may have been another one. */
    long first = q->from ? date_of(q->from - 86400) : 0, last = q->to ? date_of(q->to + 86400) : 99999999;

    *count = 0;
    for (FTSENT *entry; files != NULL && tree != NULL && (entry = fts_read(tree)) != NULL;) {
        if (entry->fts_info != FTS_F || parse(&files[*count], q->folder, entry->fts_path, q->archive ? "archive" : "alerts",
                                              q->archive ? ".log" : ".json") != 0 ||
            files[*count].date < first || files[*count].date > last) {
            continue;
        }
        more = realloc(files, (++*count + 1) * sizeof(*files));
        if (more == NULL) {
            free(files);
        }
        files = more;
    }
    if (tree != NULL) {
        fts_close(tree);
    }
    if (files != NULL) {
        qsort(files, *count, sizeof(*files), older);
        *count = leave_out_copies(files, *count);
    }
    return files;
}

/* Each whole line in the buffer, or with a needle only those that hold it; how many bytes are done. */
static size_t take_lines(const char *data, size_t length, const char *needle, size_t needle_length,
                         void (*take)(const char *line, size_t length))
{
    const char *at = data, *last = memrchr(data, '\n', length), *end;

    if (last == NULL) {
        return 0;
    }
    while (at <= last) {
        if (needle_length > 0) {
            const char *hit = memmem(at, (size_t)(last + 1 - at), needle, needle_length), *before;

            if (hit == NULL) {
                break;
            }
            before = memrchr(at, '\n', (size_t)(hit - at));
            at = before != NULL ? before + 1 : at;
        }
        end = memchr(at, '\n', (size_t)(last + 1 - at));
        take(at, (size_t)(end - at));
        at = end + 1;
    }
    return (size_t)(last + 1 - data);
}

int file_read(const char *path, const char *needle, void (*take)(const char *line, size_t length))
{
    static char data[2 * LONGEST_LINE];
    gzFile file = gzopen(path, "re");
    size_t had = 0, done, needle_length = needle != NULL ? strlen(needle) : 0;
    int got, problem;

    if (file == NULL) {
        return -1;
    }
    gzbuffer(file, 1 << 18);
    while ((got = gzread(file, data + had, (unsigned)(sizeof(data) - had))) > 0) {
        had += (size_t)got;
        done = take_lines(data, had, needle, needle_length, take);
        if (done == 0 && had == sizeof(data)) {
            done = had; /* no line is so long */
        }
        memmove(data, data + done, had - done);
        had -= done;
    }
    gzerror(file, &problem);
    gzclose(file);
    errno = EBADMSG;
    return got < 0 || (problem != Z_OK && problem != Z_STREAM_END) ? -1 : 0;
}

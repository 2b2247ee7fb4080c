#include "alert_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define LOOK_BACK (64 << 20) /* bytes before the position that may not have reached the disk; far more than is written in the
                              * half minute after which a kernel writes by itself */

static const char *months = "JanFebMarAprMayJunJulAugSepOctNovDec";

int alert_file_parse(struct alert_file *f, const char *path, size_t folder_length)
{
    int year, day, part = 0, end = 0;
    char month[4];
    const char *found, *rest;

    if (strlen(path) < folder_length ||
        sscanf(path + folder_length, "/%4d/%3[A-Za-z]/ossec-alerts-%2d%n", &year, month, &day, &end) != 3 || end == 0 ||
        (found = strstr(months, month)) == NULL || (found - months) % 3 != 0 || strlen(month) != 3 || day < 1 || day > 31) {
        return -1;
    }
    rest = path + folder_length + end;
    end = 0;
    if (sscanf(rest, "-%5d%n", &part, &end) == 1) {
        rest += end;
    }
    if (strcmp(rest, ".json") != 0 && strcmp(rest, ".json.gz") != 0) {
        return -1;
    }
    memset(f, 0, sizeof(*f));
    f->date = year * 10000L + ((found - months) / 3 + 1) * 100 + day;
    f->part = part;
    f->packed = strcmp(rest, ".json.gz") == 0;
    return 0;
}

void alert_file_path(const struct alert_file *f, const char *folder, char *path, size_t size)
{
    char part[16] = "";

    if (f->part != 0) {
        snprintf(part, sizeof(part), "-%d", f->part);
    }
    snprintf(path, size, "%s/%ld/%.3s/ossec-alerts-%02ld%s.json%s", folder, f->date / 10000,
             months + 3 * (f->date / 100 % 100 - 1), f->date % 100, part, f->packed ? ".gz" : "");
}

/* gzip ends with the length of what it holds. */
static uint64_t packed_length(const char *path, uint64_t size)
{
    unsigned char end[4] = {0};
    int file = open(path, O_RDONLY | O_CLOEXEC);

    if (file >= 0) {
        if (size < 18 || pread(file, end, sizeof(end), (off_t)size - 4) != sizeof(end)) {
            memset(end, 0, sizeof(end));
        }
        close(file);
    }
    return end[0] | (uint64_t)end[1] << 8 | (uint64_t)end[2] << 16 | (uint64_t)end[3] << 24;
}

int alert_file_stat(struct alert_file *f, const char *folder)
{
    char path[PATH_MAX];
    struct stat st;

    alert_file_path(f, folder, path, sizeof(path));
    if (stat(path, &st) != 0) {
        return -1;
    }
    f->there = 1;
    f->inode = f->packed ? 0 : st.st_ino;
    f->length = f->packed ? packed_length(path, (uint64_t)st.st_size) : (uint64_t)st.st_size;
    return 0;
}

/* So many bytes of the beginning, or what there is: how many. One that can't be uncompressed is known by what it is. */
static uint32_t read_head(const char *path, int packed, unsigned char *head, uint32_t length)
{
    gzFile file = packed ? gzopen(path, "re") : NULL;
    int plain, had = file != NULL ? gzread(file, head, length) : 0;

    if (file != NULL) {
        gzclose(file);
    }
    if (had <= 0 && (plain = open(path, O_RDONLY | O_CLOEXEC)) >= 0) {
        had = (int)pread(plain, head, length, 0);
        close(plain);
    }
    return had > 0 ? (uint32_t)had : 0;
}

/* The checksum of so many bytes of the beginning, or of what there is; `*length` becomes that. */
static uint32_t head_of(const struct alert_file *f, const char *folder, uint32_t *length)
{
    char path[PATH_MAX];
    unsigned char head[HEAD];

    alert_file_path(f, folder, path, sizeof(path));
    *length = read_head(path, f->packed, head, *length);
    return (uint32_t)crc32(crc32(0, NULL, 0), head, *length);
}

int alert_file_copies(const struct alert_file *packed, const struct alert_file *plain, const char *folder)
{
    uint32_t length = HEAD, there, sum = head_of(packed, folder, &length);

    there = length;
    return length == 0 || (head_of(plain, folder, &there) == sum && there == length);
}

int alert_file_is(const struct alert_file *known, const struct alert_file *found, const char *folder)
{
    uint32_t length = known->head_length;

    if (known->head_length == 0) { /* nothing was in it; or a release that knew files by their date kept the position */
        return known->inode == 0 ? known->offset > 0 || found->length == 0 : !found->packed && known->inode == found->inode;
    }
    if (head_of(found, folder, &length) == known->head_sum && length == known->head_length) {
        return 1;
    }
    /* Shorter than its own beginning: a power failure took the end. */
    return length < known->head_length && !found->packed && known->inode == found->inode;
}

void alert_file_learn(struct alert_file *f, const char *folder)
{
    uint32_t length = HEAD, sum;

    if (f->there && f->head_length < HEAD && (f->packed || f->head_length < f->length)) {
        sum = head_of(f, folder, &length);
        if (length > f->head_length) {
            f->head_sum = sum;
            f->head_length = length;
        }
    }
}

/* The end of the last whole line before `until`, with no NUL before it where one may be. */
static uint64_t sane_end(int file, uint64_t until)
{
    uint64_t from = until > LOOK_BACK ? until - LOOK_BACK : 0, sane = from;
    static char part[1 << 16];

    while (from < until) {
        size_t size = until - from < sizeof(part) ? (size_t)(until - from) : sizeof(part);
        ssize_t had = pread(file, part, size, (off_t)from);
        const char *nul = had > 0 ? memchr(part, '\0', (size_t)had) : NULL;
        size_t length = nul != NULL ? (size_t)(nul - part) : had > 0 ? (size_t)had : 0;

        while (length > 0 && part[length - 1] != '\n') {
            length--;
        }
        sane = length > 0 ? from + length : sane;
        if (nul != NULL || had <= 0) {
            break;
        }
        from += (uint64_t)had;
    }
    return sane;
}

int alert_file_settle(struct alert_file *f, const char *folder)
{
    char path[PATH_MAX];
    uint64_t until = f->offset < f->length ? f->offset : f->length, sane;
    int file;

    if (f->packed || f->offset == 0) {
        return 0;
    }
    alert_file_path(f, folder, path, sizeof(path));
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return 0;
    }
    sane = sane_end(file, until);
    close(file);
    if (sane == f->offset) {
        return 0;
    }
    fprintf(stderr, "ossec-output: %s is not what it was, as after a power failure: of %llu bytes that were handed on, %llu are "
                    "there; it goes on behind these\n",
            path, (unsigned long long)f->offset, (unsigned long long)sane);
    f->offset = sane;
    return 1;
}

uint64_t alert_file_waiting(const struct alert_file *f)
{
    if (!f->there) {
        return 0;
    }
    if (f->packed && f->offset > UINT32_MAX) {
        return (uint32_t)(f->length - f->offset);
    }
    return f->length > f->offset ? f->length - f->offset : 0;
}

void reader_close(struct reader *r)
{
    if (r->file >= 0) {
        close(r->file);
    }
    if (r->packed != NULL) {
        gzclose(r->packed);
    }
    r->file = -1;
    r->packed = NULL;
    r->start = r->end = 0;
}

int reader_open(struct reader *r, const struct alert_file *f, const char *folder)
{
    char path[PATH_MAX];

    reader_close(r);
    alert_file_path(f, folder, path, sizeof(path));
    if (!f->packed) {
        r->file = open(path, O_RDONLY | O_CLOEXEC);
        return r->file < 0 ? -1 : 0;
    }
    r->packed = gzopen(path, "re");
    if (r->packed == NULL) {
        return -1;
    }
    gzbuffer(r->packed, 1 << 17);
    if (gzseek(r->packed, (z_off_t)f->offset, SEEK_SET) < 0) {
        errno = EBADMSG;
        return -1;
    }
    return 0;
}

int reader_fill(struct reader *r, uint64_t offset)
{
    size_t had = r->end - r->start;
    long length;
    int problem;

    if (had == sizeof(r->buffer)) {
        return 0;
    }
    if (r->packed != NULL) {
        memmove(r->buffer, r->buffer + r->start, had);
        r->start = 0;
        r->end = had;
        length = gzread(r->packed, r->buffer + had, (unsigned)(sizeof(r->buffer) - had));
        r->end += length > 0 ? (size_t)length : 0;
        gzerror(r->packed, &problem);
        return length > 0 ? 1 : problem == Z_OK || problem == Z_STREAM_END ? 0 : -1;
    }
    /* A half line is read again when there is more: the engine may have cut it off meanwhile. */
    r->start = r->end = 0;
    do {
        length = pread(r->file, r->buffer, sizeof(r->buffer), (off_t)offset);
    } while (length < 0 && errno == EINTR);
    r->end = length > 0 ? (size_t)length : 0;
    return length < 0 ? -1 : (size_t)length > had;
}

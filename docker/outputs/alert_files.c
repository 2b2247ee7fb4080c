#define _GNU_SOURCE
#include "alert_files.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "folder.h"
#include "kept.h"

#define SYNC_MS 1000

static int64_t milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int has_line(const struct alert_files *f)
{
    const struct reader *r = &f->reader;

    return r->end > r->start && memchr(r->buffer + r->start, '\n', r->end - r->start) != NULL;
}

/* Once for each place, however often it is tried to hand on what follows. */
static void tell_left_out(struct alert_files *f, uint64_t offset, uint64_t length, const char *what)
{
    if (offset >= f->told_offset) {
        fprintf(stderr, "ossec-output: %s: in the alerts of %ld, %llu bytes from %llu on are left out\n", what,
                f->files[f->reading].date, (unsigned long long)length, (unsigned long long)offset);
        f->told_offset = offset + length;
    }
}

/* A buffer without a line's end: what is behind the last NUL may be the beginning of an alert. */
static void leave_out_buffer(struct alert_files *f)
{
    struct reader *r = &f->reader;
    struct alert_file *file = &f->files[f->reading];
    const char *nul = memrchr(r->buffer + r->start, '\0', r->end - r->start);
    size_t length = nul != NULL ? (size_t)(nul + 1 - r->buffer) - r->start : r->end - r->start;

    tell_left_out(f, file->offset, length, nul != NULL ? "damaged, as by a power failure" : "longer than any alert");
    f->cut = nul == NULL;
    file->offset += length;
    r->start += length;
    f->unsynced = 1;
}

/* The rest of a file to which nothing will be added. */
static void leave_out_rest(struct alert_files *f, const char *what)
{
    struct reader *r = &f->reader;
    struct alert_file *file = &f->files[f->reading];

    if (r->end > r->start) {
        tell_left_out(f, file->offset, r->end - r->start, what);
        file->offset += r->end - r->start;
        r->start = r->end;
        f->unsynced = 1;
    }
}

/* At its end: 1 if the open file has become shorter than what was handed on of it, and so goes on before. */
static int has_shrunk(struct alert_files *f)
{
    struct alert_file *file = &f->files[f->reading];
    struct stat st;

    if (file->packed || fstat(f->reader.file, &st) != 0 || (uint64_t)st.st_size >= file->offset ||
        alert_file_stat(file, f->folder) != 0 || file->inode != st.st_ino) {
        return 0;
    }
    f->unsynced = 1;
    return alert_file_settle(file, f->folder);
}

/* Of the open file: 1 when there is something new in the buffer, 0 at its end, -1 with errno. */
static int fill(struct alert_files *f)
{
    struct reader *r = &f->reader;
    struct alert_file *file = &f->files[f->reading];
    int result = reader_fill(r, file->offset);

    if (result < 0 && file->packed) {
        fprintf(stderr, "ossec-output: the compressed alerts of %ld are damaged, and what follows byte %llu of them is left out\n",
                file->date, (unsigned long long)file->offset);
        if (file->offset < file->length) {
            file->offset = file->length;
        }
        file->there = 0;
        f->unsynced = 1;
        return 0;
    }
    if (result < 0 || has_line(f)) {
        return result < 0 ? -1 : 1;
    }
    if (r->end - r->start == sizeof(r->buffer)) {
        leave_out_buffer(f);
        return 1;
    }
    if (result > 0) {
        return file->packed; /* there may be more; or one is being written */
    }
    if (file->packed) {
        leave_out_rest(f, "half a line");
        file->there = 0;
        return 0;
    }
    return has_shrunk(f);
}

/* Reads on until a line is there. */
static int fill_line(struct alert_files *f)
{
    int result = 1;

    while (!has_line(f) && (result = fill(f)) > 0) {
    }
    return result;
}

static int open_file(struct alert_files *f, int index)
{
    if (reader_open(&f->reader, &f->files[index], f->folder) != 0) {
        reader_close(&f->reader);
        f->reading = -1;
        return -1;
    }
    f->reading = index;
    f->told_offset = 0;
    f->cut = 0;
    return 0;
}

/* Whether it has a line that has not been handed on. It is open then. -1 with errno. */
static int offers(struct alert_files *f, int index)
{
    struct alert_file *file = &f->files[index];
    uint64_t live;
    int result;

    /* Compressed, a damaged file may say any length, so that one is tried at least. */
    if (!file->there || (file->offset == file->length && file->offset != 0) ||
        (file->packed ? file->offset != 0 && (uint32_t)file->offset == file->length : file->length == 0)) {
        return 0;
    }
    if (open_file(f, index) != 0) {
        return errno == ENOENT ? 0 : -1;
    }
    result = fill_line(f);
    live = folder_live_inode(f->folder);
    if (result != 0 || file->packed || live == 0 || live == file->inode) {
        return result;
    }
    /* The engine is not writing it, so what is half now stays half. */
    result = fill_line(f);
    if (result == 0) {
        leave_out_rest(f, "half a line");
    }
    return result;
}

/* The first file that offers something; where none does, the one that the engine writes is open. */
static int find(struct alert_files *f)
{
    uint64_t stamp = folder_stamp(f->folder), live = folder_live_inode(f->folder);
    int result = 0;

    reader_close(&f->reader);
    f->reading = -1;
    if (folder_look(f)) {
        f->unsynced = 1;
        files_sync(f, 1); /* the notes say by number which file they are about */
    }
    for (int i = 0; i < f->count; i++) {
        if ((result = offers(f, i)) != 0) {
            return result;
        }
    }
    f->stamp = stamp;
    reader_close(&f->reader);
    f->reading = -1;
    for (int i = 0; i < f->count; i++) {
        if (f->files[i].there && !f->files[i].packed && f->files[i].inode == live && open_file(f, i) != 0) {
            return errno == ENOENT ? 0 : -1;
        }
    }
    return 0;
}

int files_wait(struct alert_files *f)
{
    int result = f->reading >= 0 ? fill_line(f) : 0;

    return result != 0 || folder_stamp(f->folder) == f->stamp ? result : find(f);
}

int files_next(struct alert_files *f, const char **alert, size_t *length)
{
    struct reader *r = &f->reader;
    uint64_t offset = f->reading >= 0 ? f->files[f->reading].offset : 0;
    const char *end;

    while (r->start + f->taken < r->end &&
           (end = memchr(r->buffer + r->start + f->taken, '\n', r->end - r->start - f->taken)) != NULL) {
        const char *line = r->buffer + r->start + f->taken, *nul = memrchr(line, '\0', (size_t)(end - line)),
                   *clean = nul != NULL ? nul + 1 : line;
        int whole = end - clean >= 2 && clean[0] == '{' && end[-1] == '}' && !f->cut;

        if (!whole || clean != line) {
            if (end > line && !f->cut) {
                tell_left_out(f, offset + f->taken, (size_t)((whole ? clean : end) - line),
                              nul != NULL ? "damaged, as by a power failure" : "no alert");
            }
            f->cut = 0;
        }
        f->taken += (size_t)(end - line) + 1;
        if (whole) {
            *alert = clean;
            *length = (size_t)(end - clean);
            return 1;
        }
    }
    return 0;
}

static void tell_broken(struct alert_files *f)
{
    if (!f->broken) {
        fprintf(stderr, "ossec-output: %s cannot be written (%s), so after a restart alerts may come twice\n", f->position,
                strerror(errno));
        f->broken = 1;
    }
}

void files_done(struct alert_files *f, uint64_t alerts)
{
    struct alert_file *file = &f->files[f->reading];

    file->offset += f->taken;
    f->reader.start += f->taken;
    f->taken = 0;
    f->handed_on += alerts;
    if (!file->packed && file->length < file->offset) {
        file->length = file->offset;
    }
    alert_file_learn(file, f->folder);
    f->unsynced = 1;
    if (kept_note(f) != 0) {
        tell_broken(f);
    }
    files_sync(f, 0);
}

void files_back(struct alert_files *f)
{
    f->taken = 0;
}

void files_sync(struct alert_files *f, int now)
{
    int64_t at = milliseconds();

    if (!f->unsynced || (!now && at - f->synced_at < SYNC_MS)) {
        return;
    }
    if (kept_write(f) != 0) {
        tell_broken(f);
    } else {
        f->broken = 0;
    }
    f->unsynced = 0;
    f->synced_at = at;
}

uint64_t files_waiting(struct alert_files *f)
{
    uint64_t waiting = 0;

    reader_close(&f->reader);
    f->reading = -1;
    folder_look(f);
    for (int i = 0; i < f->count; i++) {
        waiting += alert_file_waiting(&f->files[i]);
    }
    return waiting;
}

void files_settle(struct alert_files *f)
{
    folder_look(f);
    for (int i = 0; i < f->count; i++) {
        f->unsynced |= f->files[i].there && alert_file_settle(&f->files[i], f->folder);
    }
    files_sync(f, 1);
}

/* Nothing says how far it has come: all is taken for handed on, but for the newest file where that is safer. */
static void begin_anew(struct alert_files *f, int newest_again)
{
    folder_look(f);
    f->since = f->count > 0 ? f->files[0].date : 0;
    for (int i = 0; i < f->count - newest_again; i++) {
        f->files[i].offset = f->files[i].length;
    }
}

void files_open(struct alert_files *f, const char *folder, const char *position, int only_look)
{
    char why[256];
    int found;

    memset(f, 0, sizeof(*f));
    f->folder = folder;
    f->position = position;
    f->reading = f->reader.file = f->recent = -1;
    found = kept_read(f, why, sizeof(why));
    if (found > 0) {
        return;
    }
    begin_anew(f, found < 0);
    if (found < 0 && !only_look) {
        fprintf(stderr, "ossec-output: %s cannot be used (%s), so the alerts of the newest day are handed on again\n", position,
                why);
    }
    if (!only_look) {
        f->unsynced = 1;
        files_sync(f, 1);
    }
}

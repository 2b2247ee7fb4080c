#include "folder.h"

#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MISSING 3 /* looks, after which a file is forgotten: one that is being compressed may be seen under neither name */

uint64_t folder_live_inode(const char *folder)
{
    char path[PATH_MAX];
    struct stat st;

    snprintf(path, sizeof(path), "%s/alerts.json", folder);
    return stat(path, &st) == 0 ? st.st_ino : 0;
}

uint64_t folder_stamp(const char *folder)
{
    struct stat st;

    if (stat(folder, &st) != 0) {
        return 1;
    }
    return folder_live_inode(folder) * 1000003 + (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec;
}

/* The oldest first; of a day, what is compressed before what is written. */
static int is_before(const struct alert_file *one, const struct alert_file *other)
{
    if (one->date != other->date) {
        return one->date < other->date;
    }
    if (one->packed != other->packed) {
        return one->packed;
    }
    return one->part < other->part;
}

static void forget(struct alert_files *f, int index)
{
    memmove(f->files + index, f->files + index + 1, (size_t)(f->count - index - 1) * sizeof(f->files[0]));
    f->count--;
}

static void add(struct alert_files *f, const struct alert_file *found)
{
    int i;

    if (f->count == FILES) {
        forget(f, 0);
        f->since = f->files[0].date;
    }
    for (i = f->count; i > 0 && is_before(found, &f->files[i - 1]); i--) {
        f->files[i] = f->files[i - 1];
    }
    f->files[i] = *found;
    f->count++;
}

static struct alert_file *known(struct alert_files *f, const struct alert_file *found)
{
    for (int i = 0; i < f->count; i++) {
        if (f->files[i].date == found->date && alert_file_is(&f->files[i], found, f->folder)) {
            return &f->files[i];
        }
    }
    return NULL;
}

/* Whether it is, or is becoming, what lies there uncompressed under the same name. */
static int is_copy(struct alert_files *f, const struct alert_file *packed)
{
    for (int i = 0; i < f->count; i++) {
        const struct alert_file *file = &f->files[i];

        if (file->there && !file->packed && file->date == packed->date && file->part == packed->part &&
            alert_file_copies(packed, file, f->folder)) {
            return 1;
        }
    }
    return 0;
}

static int take(struct alert_files *f, struct alert_file *found)
{
    struct alert_file *file = known(f, found);
    int is_other;

    if (file == NULL) {
        if (found->packed && (found->date < f->since || is_copy(f, found))) {
            return 0;
        }
        alert_file_learn(found, f->folder);
        add(f, found);
        return 1;
    }
    if (file->there) {
        return 0; /* compressed, and not removed yet */
    }
    is_other = file->inode != found->inode || file->head_length == 0;
    file->there = 1;
    file->missing = 0;
    file->packed = found->packed;
    file->part = found->part;
    file->inode = found->inode;
    file->length = found->length;
    if (file->head_length > file->length && !file->packed) {
        file->head_length = 0; /* its end is gone */
    }
    alert_file_learn(file, f->folder);
    return is_other;
}

/* Whether a file went away meanwhile. */
static int look_once(struct alert_files *f, int *changed)
{
    char pattern[PATH_MAX];
    glob_t paths;
    int went = 0;

    snprintf(pattern, sizeof(pattern), "%s/[0-9]*/*/ossec-alerts-*.json*", f->folder);
    if (glob(pattern, 0, NULL, &paths) != 0) {
        return 0;
    }
    for (int packed = 0; packed <= 1; packed++) {
        for (size_t i = 0; i < paths.gl_pathc; i++) {
            struct alert_file found;

            if (alert_file_parse(&found, paths.gl_pathv[i], strlen(f->folder)) != 0 || found.packed != packed) {
                continue;
            }
            if (alert_file_stat(&found, f->folder) != 0) {
                went = 1;
            } else {
                *changed |= take(f, &found);
            }
        }
    }
    globfree(&paths);
    return went;
}

/* Their order is that of their names now. */
static int sort(struct alert_files *f)
{
    int changed = 0;

    for (int i = 1; i < f->count; i++) {
        struct alert_file one = f->files[i];
        int to = i;

        for (; to > 0 && is_before(&one, &f->files[to - 1]); to--) {
            f->files[to] = f->files[to - 1];
            changed = 1;
        }
        f->files[to] = one;
    }
    return changed;
}

int folder_look(struct alert_files *f)
{
    int changed = 0;

    for (int tries = 0; tries < 3; tries++) {
        for (int i = 0; i < f->count; i++) {
            f->files[i].there = 0;
        }
        if (!look_once(f, &changed)) {
            break;
        }
    }
    for (int i = f->count - 1; i >= 0; i--) {
        if (!f->files[i].there && ++f->files[i].missing >= MISSING) {
            forget(f, i);
            changed = 1;
        }
    }
    return sort(f) | changed;
}

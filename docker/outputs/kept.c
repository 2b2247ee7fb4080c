/* The text of a position:
 *   handed_on  NUMBER      with two spaces, by which it is told from that of a release before checksums
 *   since DATE
 *   DATE OFFSET            for each file; all that a release before checksums reads, so that one can go back to it
 *   files NUMBER           of this writing
 *   DATE OFFSET INODE HEAD_LENGTH HEAD_SUM
 * and of the one against kills: NUMBER INDEX OFFSET INODE HEAD_LENGTH HEAD_SUM HANDED_ON, where NUMBER is that of the
 * writing whose INDEXth file it is about. */
#define _GNU_SOURCE
#include "kept.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "position.h"

#define LINE 96 /* bytes, the longest of a file */

static int is_date(long date)
{
    return date > 19700000 && date < 100000000 && date / 100 % 100 >= 1 && date / 100 % 100 <= 12 && date % 100 >= 1 &&
           date % 100 <= 31;
}

/* The files of a release before checksums, one a date. */
static int parse_dates(struct alert_files *f, const char *text)
{
    struct alert_file file = {0};
    int end;

    while (*text != '\0') {
        if (f->count == FILES || sscanf(text, "%ld %" SCNu64 "%n", &file.date, &file.offset, &end) != 2 || text[end] != '\n' ||
            !is_date(file.date)) {
            return -1;
        }
        f->files[f->count++] = file;
        text += end + 1;
    }
    return 0;
}

static int parse_files(struct alert_files *f, const char *text)
{
    struct alert_file file = {0};
    int end;

    if (sscanf(text, "files %" SCNu64 "%n", &f->number, &end) != 1 || text[end] != '\n') {
        return -1;
    }
    for (text += end + 1; *text != '\0'; text += end + 1) {
        if (f->count == FILES || sscanf(text, "%ld %" SCNu64 " %" SCNu64 " %" SCNu32 " %" SCNx32 "%n", &file.date, &file.offset,
                                        &file.inode, &file.head_length, &file.head_sum, &end) != 5 || text[end] != '\n' ||
            !is_date(file.date) || file.head_length > HEAD) {
            return -1;
        }
        f->files[f->count++] = file;
    }
    return 0;
}

static int parse(struct alert_files *f, const char *text)
{
    const char *files = strstr(text, "\nfiles ");
    int end;

    if (sscanf(text, "handed_on %" SCNu64 " since %ld%n", &f->handed_on, &f->since, &end) != 2 || text[end] != '\n') {
        return -1;
    }
    return files != NULL ? parse_files(f, files + 1) : parse_dates(f, text + end + 1);
}

/* 0 where the note is of another writing than the position. */
static int take_note(struct alert_files *f)
{
    char line[RECENT_SIZE];
    uint64_t number, handed_on;
    struct alert_file file;
    int index;

    if (position_read_recent(f->position, line) != 0 ||
        sscanf(line, "%" SCNu64 " %d %" SCNu64 " %" SCNu64 " %" SCNu32 " %" SCNx32 " %" SCNu64, &number, &index, &file.offset,
               &file.inode, &file.head_length, &file.head_sum, &handed_on) != 7 ||
        number != f->number || index < 0 || index >= f->count || file.head_length > HEAD) {
        return 0;
    }
    file.date = f->files[index].date;
    file.there = file.packed = file.part = 0;
    file.length = 0;
    f->files[index] = file;
    f->handed_on = handed_on;
    return 1;
}

int kept_read(struct alert_files *f, char *why, size_t size)
{
    char *text;
    enum position_found found;

    /* While another process writes the two, they may not belong together for a moment. */
    for (int tries = 0; tries < 3; tries++) {
        f->count = 0;
        f->number = 0;
        found = position_read(f->position, &text, why, size);
        if (found != POSITION_FINE) {
            return found == POSITION_NONE ? 0 : -1;
        }
        if (parse(f, text) != 0) {
            free(text);
            f->count = 0;
            snprintf(why, size, "it is not in the form of a position");
            return -1;
        }
        free(text);
        if (f->number == 0 || take_note(f)) {
            break;
        }
    }
    return 1;
}

int kept_write(struct alert_files *f)
{
    size_t size = (size_t)(f->count + 4) * 2 * LINE, length;
    char *text = malloc(size);
    int result;

    if (text == NULL) {
        return -1;
    }
    f->number++;
    length = (size_t)sprintf(text, "handed_on  %" PRIu64 "\nsince %ld\n", f->handed_on, f->since);
    for (int i = 0; i < f->count; i++) {
        if (f->files[i].part == 0 && (i + 1 == f->count || f->files[i + 1].date != f->files[i].date)) {
            length += (size_t)sprintf(text + length, "%ld %" PRIu64 "\n", f->files[i].date, f->files[i].offset);
        }
    }
    length += (size_t)sprintf(text + length, "files %" PRIu64 "\n", f->number);
    for (int i = 0; i < f->count; i++) {
        const struct alert_file *file = &f->files[i];

        length += (size_t)sprintf(text + length, "%ld %" PRIu64 " %" PRIu64 " %" PRIu32 " %08" PRIx32 "\n", file->date, file->offset,
                                  file->inode, file->head_length, file->head_sum);
    }
    result = position_write(f->position, text, length);
    free(text);
    return result;
}

int kept_note(struct alert_files *f)
{
    const struct alert_file *file = &f->files[f->reading];
    char line[RECENT_SIZE];

    snprintf(line, sizeof(line), "%" PRIu64 " %d %" PRIu64 " %" PRIu64 " %" PRIu32 " %08" PRIx32 " %" PRIu64, f->number, f->reading,
             file->offset, file->inode, file->head_length, file->head_sum, f->handed_on);
    return position_write_recent(f->position, &f->recent, line);
}

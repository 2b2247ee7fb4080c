#define _GNU_SOURCE
#include "position.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define LARGEST (1 << 20) /* bytes; no position is longer */
#define CHECK "check "
#define OLD "handed_on " /* how one of a release before checksums begins; now there are two spaces */

uint32_t position_checksum(const char *text, size_t length)
{
    return (uint32_t)crc32(crc32(0, NULL, 0), (const unsigned char *)text, (unsigned)length);
}

static int write_all(int file, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t written = write(file, text, length);

        if (written < 0 && errno != EINTR) {
            return -1;
        }
        if (written > 0) {
            text += written;
            length -= (size_t)written;
        }
    }
    return 0;
}

static int sync_folder_of(const char *path)
{
    char copy[PATH_MAX];
    int folder, result;

    snprintf(copy, sizeof(copy), "%s", path);
    folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        return -1;
    }
    result = fsync(folder);
    close(folder);
    return result;
}

static char *whole_file(const char *path, size_t *length)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    char *text = NULL;
    struct stat st;
    ssize_t had;

    if (file < 0) {
        return NULL;
    }
    if (fstat(file, &st) == 0 && !S_ISREG(st.st_mode)) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
    } else if ((text = malloc(LARGEST + 1)) != NULL) {
        had = read(file, text, LARGEST);
        if (had < 0) {
            free(text);
            text = NULL;
        } else {
            text[had] = '\0';
            *length = (size_t)had;
        }
    }
    close(file);
    return text;
}

/* Takes the last line, "check 1234abcd", off the text: 0 when it is right. */
static int take_checksum(char *text, size_t length)
{
    char *last = NULL, expected[32];

    if (length != strlen(text) || length == 0 || text[length - 1] != '\n') {
        return -1;
    }
    text[length - 1] = '\0';
    last = strrchr(text, '\n');
    last = last != NULL ? last + 1 : text;
    snprintf(expected, sizeof(expected), CHECK "%08x", position_checksum(text, (size_t)(last - text)));
    if (strcmp(last, expected) != 0) {
        return -1;
    }
    *last = '\0';
    return 0;
}

enum position_found position_read(const char *path, char **text, char *why, size_t size)
{
    size_t length = 0;

    *text = whole_file(path, &length);
    if (*text == NULL) {
        snprintf(why, size, "%s", strerror(errno));
        return errno == ENOENT ? POSITION_NONE : POSITION_DAMAGED;
    }
    if (length == strlen(*text) && strncmp(*text, OLD, sizeof(OLD) - 1) == 0 && (*text)[sizeof(OLD) - 1] != ' ') {
        return POSITION_FINE;
    }
    if (take_checksum(*text, length) == 0) {
        return POSITION_FINE;
    }
    snprintf(why, size, "%s", length == 0 ? "it is empty" : "its checksum is wrong");
    free(*text);
    *text = NULL;
    return POSITION_DAMAGED;
}

int position_write(const char *path, const char *text, size_t length)
{
    char new[PATH_MAX], check[32];
    int file, result;

    snprintf(new, sizeof(new), "%s.new", path);
    snprintf(check, sizeof(check), CHECK "%08x\n", position_checksum(text, length));
    file = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0660);
    if (file < 0) {
        return -1;
    }
    result = write_all(file, text, length) != 0 || write_all(file, check, strlen(check)) != 0 || fsync(file) != 0 ? -1 : 0;
    if (close(file) != 0 || result != 0) {
        return -1;
    }
    return rename(new, path) != 0 ? -1 : sync_folder_of(path);
}

static void recent_path(const char *path, char *recent)
{
    snprintf(recent, PATH_MAX, "%s.recent", path);
}

int position_read_recent(const char *path, char *line)
{
    char name[PATH_MAX], *text, *end;
    size_t length = 0;
    int result = -1;

    recent_path(path, name);
    text = whole_file(name, &length);
    if (text == NULL) {
        return -1;
    }
    end = length == RECENT_SIZE ? strrchr(text, ' ') : NULL;
    if (end != NULL && strtoul(end, NULL, 16) == position_checksum(text, (size_t)(end - text))) {
        memcpy(line, text, (size_t)(end - text));
        line[end - text] = '\0';
        result = 0;
    }
    free(text);
    return result;
}

int position_write_recent(const char *path, int *file, const char *line)
{
    char name[PATH_MAX], text[RECENT_SIZE + 1];
    size_t room = RECENT_SIZE - sizeof(" 12345678\n") + 1;
    ssize_t written;

    if (*file < 0) {
        recent_path(path, name);
        *file = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0660);
        if (*file < 0 || ftruncate(*file, RECENT_SIZE) != 0) {
            return -1;
        }
    }
    snprintf(text, sizeof(text), "%-*s", (int)room, line);
    snprintf(text + room, sizeof(text) - room, " %08x\n", position_checksum(text, room));
    do {
        written = pwrite(*file, text, RECENT_SIZE, 0);
    } while (written < 0 && errno == EINTR);
    return written == RECENT_SIZE ? 0 : -1;
}

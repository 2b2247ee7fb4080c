/* The list of senders on the volume. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "senders.h"

struct head {
    char magic[8];
    uint64_t count;
    uint32_t checksum, size; /* size: of one */
};

int senders_read(const char *path, void (*take)(const struct sender *one), const char **why)
{
    FILE *file = fopen(path, "re");
    struct head head;
    struct sender *all;
    int result = -1;

    if (file == NULL) {
        *why = strerror(errno);
        return errno == ENOENT ? 0 : -1;
    }
    *why = "it is damaged";
    if (fread(&head, sizeof(head), 1, file) == 1 && memcmp(head.magic, SENDERS_MAGIC, sizeof(head.magic)) == 0 &&
        head.size == sizeof(*all) && head.count <= MOST_SENDERS && (all = calloc(head.count + 1, sizeof(*all))) != NULL) {
        if (fread(all, sizeof(*all), head.count, file) == head.count &&
            crc32(0, (const unsigned char *)all, (unsigned)(head.count * sizeof(*all))) == head.checksum) {
            for (uint64_t n = 0; n < head.count; n++) {
                take(&all[n]);
            }
            result = 0;
        }
        free(all);
    }
    fclose(file);
    return result;
}

int senders_save(const char *path, const struct senders *senders)
{
    static struct sender all[MOST_SENDERS];
    struct head head = {.size = sizeof(all[0])};
    char new[4200];
    int fd, result;

    for (size_t n = 0; n < SENDER_SLOTS && head.count < MOST_SENDERS; n++) {
        if (senders->slots[n].lines > 0) {
            all[head.count++] = senders->slots[n];
        }
    }
    memcpy(head.magic, SENDERS_MAGIC, sizeof(head.magic));
    head.checksum = (uint32_t)crc32(0, (const unsigned char *)all, (unsigned)(head.count * sizeof(all[0])));
    snprintf(new, sizeof(new), "%s.new", path);
    fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0660);
    if (fd < 0) {
        return -1;
    }
    result = write(fd, &head, sizeof(head)) == sizeof(head) &&
                     write(fd, all, head.count * sizeof(all[0])) == (ssize_t)(head.count * sizeof(all[0])) ? 0 : -1;
    return close(fd) != 0 || result != 0 ? -1 : rename(new, path);
}

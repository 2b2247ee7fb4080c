/* How far an output has come, on the volume. The file POSITION is replaced durably, at most once a second. What changes
 * with each batch goes into POSITION.recent, which is overwritten in place: a kill leaves it whole, and after a power
 * failure, when it may be anything, its checksum or its number tells, and POSITION holds. */
#ifndef POSITION_H
#define POSITION_H

#include <stddef.h>
#include <stdint.h>

#define RECENT_SIZE 192 /* bytes, so that a write is never torn by a kill */

enum position_found { POSITION_FINE, POSITION_NONE, POSITION_DAMAGED };

/* A checksum as both files end with it. */
uint32_t position_checksum(const char *text, size_t length);
/* The file's text without its last line, the checksum; `why` says what is wrong with a damaged one. The caller frees
 * the text. One of a release before checksums is taken as it is. */
enum position_found position_read(const char *path, char **text, char *why, size_t size);
/* write, fsync, rename, fsync of the folder. 0, or -1 with errno. */
int position_write(const char *path, const char *text, size_t length);
/* The one line of PATH.recent without its checksum, into `line` of RECENT_SIZE. 0, or -1 if there is none that is whole. */
int position_read_recent(const char *path, char *line);
/* *file is -1 at first, and stays open. 0, or -1 with errno. */
int position_write_recent(const char *path, int *file, const char *line);

#endif

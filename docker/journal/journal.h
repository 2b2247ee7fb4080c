/* The journal: every line that was received, on the data volume, until the engine is done with it. ossec-intake appends,
 * the engine (docker/shim) reads. A position counts bytes since the journal was made.
 *
 * Segment files in a folder, each named after the position of its first record (20 digits). They are only appended to,
 * and deleted when the engine is durably done with all of them. A record is a head (its length, a checksum of all of
 * it, its own position) and the engine's datagram. At opening, the newest segment is read up to its first bad record;
 * what is behind that is set aside in a file of its own, never overwritten and never trusted. */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#define JOURNAL_RECORD_MAX 6143 /* bytes: OS_MAXSTR - 1, what the engine reads of one datagram */

#define JOURNAL_ROOM (2u << 20)  /* bytes of the journal: more than what is read of a socket at once becomes */

struct journal; /* the writer's */

/* Makes the folder's journal ready to be appended to. NULL, with errno, when it can't be; `problem` then names the file. */
struct journal *journal_open(const char *folder, char *problem, size_t size);

/* Adds a record to what the next flush writes. Never fails: memory is bounded by calling journal_flush often enough. */
void journal_append(struct journal *j, const char *datagram, uint32_t length);

/* Sets JOURNAL_ROOM aside on the volume, behind what was appended: whether that much can be written whatever else fills the
 * volume. Where the file system sets nothing aside, only whether the last flush went well. */
int journal_make_room(struct journal *j);

/* Writes what was appended, and lets the engine read it. 0, or -1 with errno (ENOSPC): it is still there for the next try. */
int journal_flush(struct journal *j);

/* Syncs what was flushed to disk. 0, or -1 with errno. */
int journal_sync(struct journal *j);

/* Positions: behind what was appended, flushed, synced; and how many bytes wait for the engine. */
uint64_t journal_appended(const struct journal *j);
uint64_t journal_flushed(const struct journal *j);
uint64_t journal_synced(const struct journal *j);
uint64_t journal_waiting(const struct journal *j);

/* Whether the volume has so little room left that what the engine writes might not fit: then nothing is taken in. */
int journal_volume_full(const struct journal *j);

/* The page that it shares with the engine: the caller keeps its own counters there. */
struct state *journal_state(struct journal *j);

/* Deletes the segments that the engine is durably done with; to be called now and then. */
void journal_tidy(struct journal *j);

#endif

/* From the line that a sender wrote to the one form that the engine reads. */
#ifndef INTAKE_HEADER_H
#define INTAKE_HEADER_H

#include <stddef.h>
#include <time.h>

/* Control characters of a line become #ooo, so that a sender can't write these. docker/shim/header.h reads them. */
#define HEADER_NAME '\x1d'  /* stands on both sides of a name that the engine's own reader of headers would not take */
#define HEADER_EXTRA '\x1e' /* begins what is archived behind the message, and shown to no decoder */

/* Writes "Nov 26 06:00:00 HOST PROGRAM[PID]: MESSAGE" from a line as it came off the wire: with its PRI, without the end
 * of its frame. What the form has no place for follows behind the message, and a host that the line does not name is
 * `sender`. Returns how many bytes were written, at most `room`; sets `cut` if they were not all. Nothing is written for a
 * line that is empty. */
size_t header_to_engine(const char *line, size_t length, const char *sender, char *out, size_t room, int *cut);

/* The word behind a line's first stamp, which is where a relay writes whose line it is: sets where it is, and returns its
 * length, 0 where there is none. Nothing further back is looked at, as that is the sender's own text. */
size_t header_host(const char *line, size_t length, const char **host);

/* The same for a line that was received then: a line without a stamp gets this time; 0 is now. */
size_t header_to_engine_at(const char *line, size_t length, const char *sender, char *out, size_t room, int *cut,
                           time_t then);

#endif

/* OSSEC's alert files as the queue of an output. What is handed on of each is kept on the volume. */
#ifndef ALERT_FILES_H
#define ALERT_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "alert_file.h"

#define FILES 1024 /* whose positions are kept; beyond, the oldest are forgotten */

struct alert_files {
    const char *folder, *position;
    uint64_t handed_on;              /* alerts, since the position was first kept */
    long since;                      /* compressed files of an earlier date are not looked at */
    struct alert_file files[FILES];  /* the oldest first */
    int count, reading;              /* reading: an index, -1 for none */
    struct reader reader;
    size_t taken;                    /* bytes of the buffer that are being handed on */
    int cut;                         /* the rest of a line follows that is no alert */
    uint64_t stamp;                  /* of the folder when it was last looked through and nothing waited */
    uint64_t told_offset;            /* up to where it was said that something is left out */
    /* Of the position. */
    uint64_t number;                 /* of its last durable writing */
    int recent, unsynced, broken;    /* recent: the descriptor; broken: it was said that it can't be written */
    int64_t synced_at;               /* in milliseconds */
};

/* Reads the position, or begins at the end of what is there; one that only looks keeps nothing. Never fails: a position
 * that can't be read is told of, and what may not have been handed on is. */
void files_open(struct alert_files *f, const char *folder, const char *position, int only_look);
/* After an unclean end, before the engine writes again: positions beyond what is whole in their files are put back. */
void files_settle(struct alert_files *f);
/* Whether an alert is in the buffer that has not been handed on: 1, 0 if there is none now, -1 with errno. */
int files_wait(struct alert_files *f);
/* The next alert of the buffer without its line's end, 0 if there is none. */
int files_next(struct alert_files *f, const char **alert, size_t *length);
/* What `files_next` gave, so many alerts, is handed on; or it is not, and comes again. */
void files_done(struct alert_files *f, uint64_t alerts);
void files_back(struct alert_files *f);
/* Writes the position durably where that has not been done for a second; with `now`, where anything has changed. */
void files_sync(struct alert_files *f, int now);
/* How many bytes wait, in all files. */
uint64_t files_waiting(struct alert_files *f);

#endif

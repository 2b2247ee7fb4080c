/* OSSEC's files of a day's alerts, as text, as the queue of ossec-maild. */
#ifndef SHIM_MAIL_FILES_H
#define SHIM_MAIL_FILES_H

#include "shared.h"
#include "file-queue.h"

#define MAIL_PLACES 4        /* files whose offset is known, as the clock may be set back to one */
#define MAIL_POSITION_SIZE 192

struct mail_place {
    long date; /* such as 20261123; 0 for none */
    long offset;
    unsigned long inode; /* 0 for unknown */
};

struct mail_files {
    struct mail_place places[MAIL_PLACES]; /* the first is the one that is read */
};

/* From a position as `mail_files_write` gives it, or one of a release that knew one file only. 0, or -1 if it is none. */
int mail_files_read(struct mail_files *f, const char *position);
void mail_files_write(const struct mail_files *f, char *position, size_t size);
/* The beginning of that day's file. */
void mail_files_begin(struct mail_files *f, const struct tm *day);
/* Opens the first place's file where it was read to; NULL if it is not there any more. */
FILE *mail_files_open(struct mail_files *f);
/* Whether the engine writes another file than the first place's. */
int mail_files_have_moved(const struct mail_files *f);
/* The file to read when the open one, or none, is at its end: NULL where there is no other. It is the first place's then. */
FILE *mail_files_next(struct mail_files *f);
/* The next alert is looked for from that offset of the first place's file on. */
void mail_files_go_on(struct mail_files *f, FILE *file, long offset);
/* The next whole alert that is to be mailed; NULL if there is none now. What is no alert is left out, with one line. */
alert_data *mail_files_alert(struct mail_files *f, FILE *file, int flags);

#endif

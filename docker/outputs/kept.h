/* The positions in all alert files, as text and back. */
#ifndef KEPT_H
#define KEPT_H

#include "alert_files.h"

/* From the volume. 1, 0 where none is kept, -1 with `why`, where what is there can't be read. */
int kept_read(struct alert_files *f, char *why, size_t size);
/* Durably; 0, or -1 with errno. */
int kept_write(struct alert_files *f);
/* That of the file that is being read, against a kill; 0, or -1 with errno. */
int kept_note(struct alert_files *f);

#endif

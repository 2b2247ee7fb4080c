/* Finds OSSEC's alert files in their folder, and knows again those whose positions are kept. */
#ifndef FOLDER_H
#define FOLDER_H

#include "alert_files.h"

/* The inode of alerts.json, which is a second name of the file that the engine writes; 0 while there is none. */
uint64_t folder_live_inode(const char *folder);
/* Another whenever the engine has gone on to another file, or back to one. */
uint64_t folder_stamp(const char *folder);
/* Looks through the folder. 1 if a file is new, gone or another than before. No file may be open. */
int folder_look(struct alert_files *f);

#endif

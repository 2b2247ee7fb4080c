/* alert_file.c: the day's alerts.log, read as it grows. */
#pragma once

#include <stdio.h>
#include <time.h>

#define CRALERT_MAIL_SET 0x001 /* only alerts that are marked for mail */

typedef struct alert_data {
    unsigned int rule, level;
    char *date; /* on the heap */
    char location[300], comment[160];
    char **log; /* the lines that follow, without their newlines, and a null at the end: all on the heap */
} alert_data;

typedef struct file_queue {
    int day, flags;
    FILE *fp;
} file_queue;

alert_data *GetAlertData(int flag, FILE *fp); /* NULL where there is no whole one */
void FreeAlertData(alert_data *al_data);
void Init_FileQueue(file_queue *fileq, const struct tm *p, int flags);
alert_data *Read_FileMon(file_queue *fileq, const struct tm *p, unsigned int timeout);

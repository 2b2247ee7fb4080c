#ifndef FILE_QUEUE_H
#define FILE_QUEUE_H

typedef struct {
    FILE *fp;
    int flags;
} file_queue;

alert_data *GetAlertData(int flags, FILE *file);

#endif

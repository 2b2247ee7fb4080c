/* ossec-maild reads the day's alerts.log and waits up to 90 s for more before it looks at its signals or at the
 * date, and it opens every file at its end. So it takes 90 s to stop, and what was written to a new day's file
 * before it looked is never mailed. Here it looks after 5 s, and reads a file that it comes to from the
 * beginning; only the one that is there when it starts is still read from its end. */
#include <signal.h>

#include "shared.h"
#include "file-queue.h"

#define LONGEST_WAIT 5 /* seconds; also how long maild waits for more alerts to put into the same mail */

extern volatile sig_atomic_t shim_ending;

alert_data *__real_Read_FileMon(file_queue *fileq, const struct tm *p, unsigned int timeout);

alert_data *__wrap_Read_FileMon(file_queue *fileq, const struct tm *p, unsigned int timeout)
{
    alert_data *alert;

    if (fileq->fp == NULL || p->tm_mday != fileq->day) {
        /* What is left of the old file, and then the new one, at its end. */
        alert = __real_Read_FileMon(fileq, p, 0);
        if (alert != NULL || fileq->fp == NULL) {
            return alert;
        }
        rewind(fileq->fp);
    }
    (void)timeout;
    for (int waited = 0; (alert = GetAlertData(fileq->flags, fileq->fp)) == NULL; waited++) {
        if (shim_ending || waited == LONGEST_WAIT) {
            return NULL;
        }
        sleep(1);
    }
    return alert;
}

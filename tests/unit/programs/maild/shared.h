/* As much of OSSEC's headers as docker/shim/mail*.c needs, for the driver beside it. */
#ifndef SHARED_H
#define SHARED_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CRALERT_MAIL_SET 0x001

typedef struct {
    char *date;
    char **log;
} alert_data;

#endif

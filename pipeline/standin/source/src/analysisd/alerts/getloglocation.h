#pragma once

#include <stdio.h>

#include "eventinfo.h"

/* The day's files: archive, alerts, firewall, alerts as JSON. */
extern FILE *_eflog, *_aflog, *_fflog, *_jflog;

/* Opens those of the event's day. 0, or -1 with errno. */
int OS_GetLogLocation(const Eventinfo *lf);

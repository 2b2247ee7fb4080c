#ifndef SHIM_JSON_H
#define SHIM_JSON_H

#include "shared.h"
#include "cJSON.h"
#include "eventinfo.h"

/* Whether upstream's writer would go wrong on the hostname (mark "-") or the location (mark ">"). */
int json_confusing(const char *text, const char *mark);

/* When the engine took the event's line, by RFC 3339. */
void json_add_timestamp(cJSON *root, const Eventinfo *lf);

#endif

/* An alert as an object, for the outputs that do not hand on its JSON as it is. */
#ifndef ALERT_H
#define ALERT_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

/* NULL where it is not JSON. The caller gives it back with json_decref. */
json_t *alert_parse(const char *alert, size_t length);
/* The string of that name, or `otherwise` where there is none. */
const char *alert_text(const json_t *object, const char *name, const char *otherwise);
long alert_number(const json_t *object, const char *name);
long alert_level(const json_t *alert);
const char *alert_comment(const json_t *alert);
/* The user of whom it is: the one that was to be used, or who asked for it; NULL for none. */
const char *alert_user(const json_t *alert);
/* As RFC 3339 has it, in UTC. */
void alert_time(const json_t *alert, char *date, size_t size);

#endif

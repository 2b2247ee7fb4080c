/* An alert in the fields of the Elastic Common Schema. */
#ifndef ECS_H
#define ECS_H

#include <stddef.h>

/* A JSON object on one line, of malloc; NULL where the alert is not JSON. */
char *ecs_of(const char *alert, size_t length);

#endif

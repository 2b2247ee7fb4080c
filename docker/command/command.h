#ifndef COMMAND_H
#define COMMAND_H

#include <stdint.h>

#define ALERTS "/var/ossec/logs/alerts"
#define DATA "/var/ossec/data"
#define MAILS DATA "/queue/mail/queue" /* what waits for the relay, a file each */

/* Everything that keeps lines from becoming alerts, and alerts from arriving; with `own` only what a restart may mend, for
 * those who restart what is not healthy. The exit status. */
int health(int own);

enum counters_form { COUNTERS_LINES, COUNTERS_JSON, COUNTERS_PROMETHEUS };

/* Prints what the server has counted since it started, and its outputs since they were first used. The exit status. */
int counters(enum counters_form form);

/* The output whose folder on the volume has that name: the alerts that it has handed on, and the bytes that wait. 0, or -1
 * where it is not in use and never was. */
int output_counters(const char *name, uint64_t *handed_on, uint64_t *waiting);

#endif

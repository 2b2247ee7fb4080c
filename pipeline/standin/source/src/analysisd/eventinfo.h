/* What the engine knows of one line, and the engine's parts. */
#ifndef STANDIN_EVENTINFO_H
#define STANDIN_EVENTINFO_H

#include <time.h>

typedef struct Eventinfo {
    time_t time;
    char *hostname, *location;
    const char *full_log, *log; /* the line, and what follows its syslog header */
    const char *decoder;
    char host[4096], program[128], srcip[46], user[64], moment[32]; /* "" where unknown */
} Eventinfo;

typedef struct Rule {
    int id, level;
    const char *comment, *group;
    int (*fits)(const Eventinfo *event);
    int mail;      /* whatever the level */
    int frequency; /* of a rule about another rule's repetition */
    long fired;
} Rule;

/* Fills the event from "LOCATION:LINE", which it changes and points into; 0 if that is not its form. */
int decode(Eventinfo *event, char *message, const char *own_name);
Rule *find_rule(const Eventinfo *event); /* NULL for a harmless line */
void write_archive(const Eventinfo *event);
void write_alert(const Eventinfo *event, const Rule *rule, int mail, int json);

#endif

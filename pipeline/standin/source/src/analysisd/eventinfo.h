/* What the engine knows of one line. */
#pragma once

#include <time.h>

#include "shared.h"

#define OSSEC_ALERT 1 /* another server's; the others are kinds of which the stand-in decodes none */
#define SYSLOG 2
#define IDS 3
#define SQUID 4
#define FIREWALL 5
#define WEBLOG 6

struct Eventinfo;

typedef struct OSDecoderInfo {
    const char *name; /* NULL where unknown */
    int type, id;
    void *(**order)(struct Eventinfo *, char *, int); /* what it does with each part that it finds; NULL for nothing */
    int get_next; /* whether the next one of the list goes on with it */
    OSMatch *program_name; /* whose lines it takes, in one of two forms; NULL for anybody's */
    OSPcre2 *program_name_pcre2;
    OSRegex *prematch; /* what they must hold, likewise */
    OSPcre2 *prematch_pcre2;
    OSRegex *regex; /* and by which it finds something in them */
    OSPcre2 *pcre2;
    void (*plugindecoder)(void *event); /* what finds something in them where no pattern does, or NULL */
    int prematch_offset, regex_offset; /* whether each looks only behind what another has matched */
} OSDecoderInfo;

typedef struct Rule Rule;

typedef struct Eventinfo {
    time_t time;
    char *hostname, *location;
    char *program_name; /* NULL where unknown */
    size_t p_name_size; /* its length */
    char *full_log;     /* the line, and behind its end once more, for the names to point into */
    char *log;          /* what follows its syslog header */
    size_t size;        /* its length, for the rules */
    OSDecoderInfo *decoder_info;
    Rule *generated_rule; /* that has fired here, or that another server says has */
    int mail;             /* whether its alert is to be mailed */
    /* On the heap, NULL where unknown. The stand-in's decoders only find two of them. */
    char *dstuser, *srcip;
    char *srcuser, *dstip, *srcport, *dstport, *protocol, *action, *id, *url, *data, *status, *systemname, *filename;
    char *fields[1];
    char moment[32], alert_id[64];
} Eventinfo;

struct Rule {
    int id, level;
    const char *comment, *group;
    int (*fits)(const Eventinfo *event);
    int mail;      /* whatever the level */
    int frequency; /* of a rule about another rule's repetition */
    long fired;
    char **last_events; /* that it correlated; this one does not tell */
};

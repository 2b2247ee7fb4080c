/* The stand-in release: a small log analyser that takes OSSEC's place where OSSEC's source cannot be had, so that
 * the image around it can be built and tested. It is no part of OSSEC and has none of its code; it has the
 * names, the paths and the file formats that the image relies on. */
#pragma once

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define HOME "/var/ossec"
#define CONFIGURATION HOME "/etc/ossec.conf"
/* These are as seen from the chroot in HOME. */
#define ENGINE_SOCKET "/queue/ossec/queue"
#define ALERTS "/logs/alerts"
#define ARCHIVES "/logs/archives"
#define RULES "/rules"

/* daemon.c */
int only_check(int argc, char **argv, const char *name); /* 1 for -t, 0 for -f; answers -V and all else itself */
void drop_root(const char *user);                        /* into the chroot */
void say(const char *kind, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define fail(...) (say("ERROR", __VA_ARGS__), exit(1))
void *must(void *memory); /* or fails */
extern volatile sig_atomic_t ending;
void note_ending(int sig); /* a handler for StartSIG2: sets `ending` */
void StartSIG2(const char *process_name, void (*func)(int));

/* xml.c: reads a file, and hands over each element that has no others in it. */
typedef void xml_handler(const char *element, const char *text);
void xml_read(const char *path, xml_handler *take);

/* pattern.c: text to look for, to be freed. */
void *pcre2_compile_8(const unsigned char *pattern, size_t length, unsigned options, int *error, size_t *offset, void *context);
int pcre2_pattern_info_8(const void *code, unsigned what, void *where); /* knows nothing */
int pcre2_jit_compile_8(void *code, unsigned options);                 /* cannot */
int pcre2_match_8(const void *code, const unsigned char *text, size_t length, size_t start, unsigned options, void *data, void *context);
int pcre2_jit_match_8(const void *code, const unsigned char *text, size_t length, size_t start, unsigned options, void *data, void *context);
void pcre2_code_free_8(void *code);

/* Its decoders know a program by a word, and have no patterns: none of these finds anything. */
typedef struct OSMatch {
    void *regex;
} OSMatch;
typedef struct OSMatch OSRegex, OSPcre2;
int OSMatch_Execute(const char *text, size_t length, OSMatch *pattern);
const char *OSRegex_Execute(const char *text, OSRegex *pattern);
const char *OSPcre2_Execute(const char *text, OSPcre2 *pattern);

/* list.c: the newest node is the last one. */
typedef struct OSListNode {
    struct OSListNode *next;
    void *data;
} OSListNode;

typedef struct OSList {
    OSListNode *first_node, *last_node;
    int currently_size, max_size;
} OSList;

void OSList_AddData(OSList *list, void *data);
void OSList_DeleteOldestNode(OSList *list);

/* The image's shim has these, and stands in front of OSSEC's own: here there are none behind it. */
void remove_control_characters(char *text);
int OS_RecvUnix(int socket, int size, char *message); /* the next message; its length, 0 where there is none */

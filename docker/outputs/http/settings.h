/* The file that says where notices go, which the start-up writes: on a command line anybody could read what is secret in it.
 * Lines "NAME VALUE". */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "notice.h"

struct settings {
    char *url;                  /* as in what is posted, without a user or a password */
    char *user, *password;      /* of the URL; NULL for none */
    char *name;                 /* for messages: scheme, host and port; the path of a URL is often a secret */
    const char *authorities;    /* PEM file; NULL for the public ones */
    long level, per_hour;       /* per_hour: 0 for no limit */
    char **headers;             /* "Name: value" */
    size_t header_count;
};

/* 0, or -1 with `why`. */
int settings_read(struct settings *s, const char *path, char *why, size_t size);

#endif

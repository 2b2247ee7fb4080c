/* What is posted: an alert, or the summary of those that were not, in the form that the receiver reads. */
#ifndef NOTICE_H
#define NOTICE_H

#include <jansson.h>
#include <stddef.h>

#define MOST_HEADERS 2

struct notice {
    const char *type;  /* of the content */
    char *body;        /* of malloc */
    char headers[MOST_HEADERS][512]; /* of this notice; empty for none */
};

struct summary {
    unsigned long count;
    long level, rule;   /* of the highest */
    long since;         /* in seconds since 1970 */
};

struct format {
    const char *name, *type;
    long unsent; /* an answer of 2xx with which the receiver says that it has passed nothing on; 0 for none */
    /* Each sets the body, NULL where it can't be made. */
    void (*alert)(struct notice *n, const json_t *alert);
    void (*summary)(struct notice *n, const struct summary *s);
};

/* NULL where there is none of that name. */
const struct format *notice_format(const char *name);

#endif

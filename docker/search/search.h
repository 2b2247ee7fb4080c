/* What is searched for, and in which files. */
#ifndef SEARCH_H
#define SEARCH_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define LONGEST_LINE (1 << 20)

struct query {
    const char *folder;      /* of logs/alerts or logs/archives */
    int archive, as_json, as_fields;
    int64_t from, to;        /* seconds since 1970, `to` not in it; 0 for none */
    long level, rule;        /* 0 for any */
    const char *host, *source, *text;
    long tail;               /* 0 for all */
};

struct day_file {
    long date;               /* such as 20261123 */
    int part, packed;        /* packed: compressed; the parts of a day are older than what is not compressed */
    char path[512];
};

/* Those that may hold what is asked for, the oldest first; *count of them, NULL without memory. */
struct day_file *files_find(const struct query *q, size_t *count);

/* Calls `take` with each line of the file that may match, without its end. 0, or -1 with errno. */
int file_read(const char *path, const char *needle, void (*take)(const char *line, size_t length));

/* Whether a line is what is asked for; puts what is to be printed of it. */
int line_matches(const struct query *q, const char *line, size_t length, FILE *out);
/* What each of its lines holds, letter by letter, of malloc; NULL where nothing is sure. */
char *needle_of(const struct query *q);

/* "2026-11-26", "2026-11-26 13:00[:05]", "13:00" today, or "2h" (s, m, h, d) ago. -1 where it is none of them; of a day alone
 * its end where `end`. */
int64_t time_of(const char *text, int end);

#endif

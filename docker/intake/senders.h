/* Who has sent: for each address the first and the last line, how many, and how fast. In memory that other processes can
 * read, in SENDERS_PATH; on the volume over restarts. Beyond MOST_SENDERS new ones are not noted. */
#ifndef SENDERS_H
#define SENDERS_H

#include <stdint.h>

#include "sources.h"

#ifndef SENDERS_PATH
#define SENDERS_PATH "/run/ossec/senders.state"
#endif
#define MOST_SENDERS 4096
#define SENDER_SLOTS (2 * MOST_SENDERS) /* a power of two */
#define SENDERS_MAGIC "OLSSEND2"

enum silence { TALKS, SILENT, BACK }; /* BACK: since it was told to be silent, and not told yet */

struct sender {
    struct in6_addr address;
    uint32_t scope, silence;
    uint64_t first, last;  /* lines, in seconds since 1970 */
    uint64_t quiet_since;  /* the last line before it was silent */
    uint64_t lines;        /* 0: nobody has this slot */
    uint64_t counted;      /* of them for the rate */
    uint64_t unheard;      /* milliseconds without a line in which it could have sent: no restart makes it less */
    double rate;           /* lines a minute, over some ten minutes */
};

struct senders {
    char magic[8];
    uint64_t count, untracked; /* untracked: lines of senders beyond */
    struct sender slots[SENDER_SLOTS];
};

/* Begins with what the file holds. A file that can't be used is told of, and nothing else. 0, or -1 with errno. */
int senders_open(const char *path);
/* A line of that source. */
void senders_heard(const struct source *source);
/* Now and then: rates, the file, and who has been silent for `settings.silent` seconds. `held`: nothing is taken in now. */
void senders_tick(int held);
void senders_close(void);

/* Calls `take` for each that the file holds; 0, also where there is no file, or -1 with the reason. */
int senders_read(const char *path, void (*take)(const struct sender *one), const char **why);
/* 0, or -1 with errno. */
int senders_save(const char *path, const struct senders *senders);

/* Its address in words. */
void sender_text(const struct sender *one, char *text, size_t size);
/* How many the running server has, and how many of them are silent. 0, or -1 with errno. */
int senders_counts(size_t *all_of_them, size_t *silent);
/* What the running server has, as a table, JSON or Prometheus' text. An exit status. */
int senders_print(const char *form);

#endif

/* RELP, the server's side: https://www.rsyslog.com/doc/relp.html. A line is answered when it is on disk. */
#ifndef RELP_H
#define RELP_H

#include <stddef.h>
#include <stdint.h>

#define RELP_UNANSWERED 1024 /* lines of one session: with more it is not read from until they are answered */

struct connection;

struct relp_answer {
    uint64_t position; /* of the journal: answered when it is synced up to there */
    uint32_t number;   /* the transaction's */
    const char *text;  /* NULL for the answer to "close", which has none */
};

struct relp { /* of one session; all zeros at its beginning */
    int open;
    size_t skip;              /* bytes of a line that was cut, which are still to come */
    struct relp_answer *answers;
    size_t first, count, room; /* of answers: a ring */
    struct connection *before, *next; /* of those that wait for the journal */
};

extern const struct protocol relp_protocol;

/* Whether any session waits for the journal to be synced. */
int relp_waits(void);

/* Answers what is synced now, in all sessions. */
void relp_answer_synced(void);

/* Tells all peers that the server ends. */
void relp_say_goodbye(void);

#endif

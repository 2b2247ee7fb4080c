/* What the readers of headers find in a line. */
#ifndef INTAKE_PARTS_H
#define INTAKE_PARTS_H

#include "stamp.h"
#include "text.h"

#ifndef PLAIN
#define PLAIN 1 /* 0, to compare plain.c with the tables: test_header.py */
#endif
#define MOST_EXTRAS 6
#define LONGEST_NAME 255 /* bytes, of a host, a program or a pid that is marked */

struct header {
    int has_priority;
    struct stamp stamp;
    int has_stamp;
    struct text host, program, pid, message; /* host and program: empty if the line has none */
    int is_plain;                            /* "[HOST] PROGRAM[PID]: MESSAGE" stands in the line as the engine wants it */
    int as_it_is;                            /* the message is the line, and needs no header */
    int no_colon;                            /* "proftpd[77] text": it stays so */
    struct text extras[MOST_EXTRAS];         /* what the engine's form has no place for */
    int extra_count;
};

static inline void keep_extra(struct header *h, struct text extra)
{
    if (length_of(extra) > 0 && h->extra_count < MOST_EXTRAS) {
        h->extras[h->extra_count++] = extra;
    }
}

static inline void keep_stamp(struct header *h, struct stamp stamp, struct text sent)
{
    h->has_stamp = 1;
    h->stamp = stamp;
    if (stamp.says_more) {
        keep_extra(h, sent);
    }
}

/* "Nov 26 06:00:00 HOST PROGRAM[PID]: text" already, which stays as it is byte for byte. */
int is_canonical(struct text line);

/* STAMP [HOST] PROGRAM[PID]: , where it may be nothing else. 0 where it is not surely that. */
int read_plain(struct header *h, struct text rest);

/* The ISO stamp that RFC 5424 has, and which one space follows. 0 where it may be anything else. */
int read_plain_stamp(struct text rest, struct stamp *stamp);

/* All of RFC 5424 behind its PRI. 0 if the text is none. */
int read_rfc5424(struct header *h, struct text rest);

/* HOST APP PROCID MSGID DATA behind another stamp than RFC 5424's, as a relay writes it that knows only the older form.
 * 0 where it is not surely that. */
int read_rfc5424_names(struct header *h, struct text rest);

/* What stands behind a stamp: [HOST] [PROGRAM[PID]:] MESSAGE. */
void read_names(struct header *h, struct text rest);

/* Where a relay wrote one more header in front, with its name or without, "Nov 26 06:00:00 relay1 Nov 26 05:59:59 web1
 * sshd[77]: ", reads the inner one, which is the sender's. 0 if there is none. */
int read_inner_header(struct header *h, struct text relay, struct text rest);

/* As read_names, where there was no stamp. */
void read_names_alone(struct header *h, struct text rest);

/* Whether a message begins there that names its program: "PROGRAM[PID]: ", "PROGRAM: ". */
int is_tag(struct text rest);

/* Whether "HOST PROGRAM[PID]: " or "PROGRAM[PID]: " begins there, or if it needs no pid, "HOST PROGRAM: ". */
int is_header(struct text rest, int needs_pid);

/* Reads the program of a message, if it names one, and the message. */
void read_tag(struct header *h, struct text rest);

/* Whether the engine's own reader of headers makes the same of the line. */
int engine_reads_it(const struct header *h, struct text line);

/* Cisco's own header, "2345: *Nov 26 06:00:00.123 UTC: " before "%SYS-5-CONFIG_I: ...". It has a host in front of the stamp
 * on some devices. 0, with nothing moved, if the text begins with none. */
int read_cisco(struct header *h, struct text *rest);

#endif

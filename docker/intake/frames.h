/* Takes a TCP stream apart into syslog messages: RFC 6587, its octet counting and its delimiters, and what real senders
 * do. No input or output here: bytes in, frames out. */
#ifndef FRAMES_H
#define FRAMES_H

#include <stddef.h>

#define FRAME_LIMIT 65536 /* bytes: a longer message is cut, and its rest skipped */

struct frames { /* of one stream; all zeros at its beginning */
    size_t skip_octets;  /* of a counted message that was cut */
    int skip_line;       /* the rest of a line that was cut */
    int counted;         /* the stream has had a counted message */
    int unproved;        /* nothing stood behind the last counted message: what comes shows whether its count was right */
    size_t searched;     /* bytes of the unfinished message that have no delimiter: it is a line */
    size_t head;         /* of which so many are a wrong count */
};

struct frame {
    const char *text;
    size_t length; /* may be 0: an empty line, or what was skipped */
    size_t used;   /* bytes of the stream that are done with */
};

/* Finds the next one in what is there of the stream. 0 when more is needed. `last` says that no more comes: then all
 * that is there is a message. */
int frames_next(struct frames *stream, const char *bytes, size_t length, int last, struct frame *frame);

/* Whether a message that does not go on for long is one with a wrong count: whole lines stand there. */
int frames_stalled(const char *bytes, size_t length);

#endif

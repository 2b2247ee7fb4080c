/* A connection over which lines come: how its bytes come (plain or TLS) and what they mean (syslog's frames or RELP) are
 * two tables of functions. */
#ifndef CONNECTION_H
#define CONNECTION_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "frames.h"
#include "intake.h"
#include "relp.h"

struct connection;

struct transport {
    /* As read and write; -1 with EAGAIN when nothing goes now, with EPROTO when the peer is not as it should be. What can
     * be read is read while there is room for a record of TLS. */
    ssize_t (*read)(struct connection *c, char *to, size_t room);
    ssize_t (*write)(struct connection *c, const char *from, size_t length);
    void (*hang_up)(struct connection *c); /* says that no more is written; what the peer has sent can still be read */
    void (*end)(struct connection *c);     /* frees what it has */
};

struct protocol {
    /* Takes what is whole of the stream; how many bytes that was. `last`: no more comes. */
    size_t (*take)(struct connection *c, const char *bytes, size_t length, int last);
    int (*waits)(struct connection *c); /* whether the peer still has to be told something */
    void (*end)(struct connection *c);  /* frees what it has */
};

struct connection {
    struct watch watch;
    enum input input;
    const struct transport *transport;
    const struct protocol *protocol;
    struct source source;
    struct connection *before, *next; /* of all, in the order of their coming */
    struct connection *silent_before, *silent_next; /* of those that have never sent anything */
    uint64_t since;                   /* when it came, and later when bytes last came */
    void *tls;
    int handshaking;                  /* its transport is not up yet */
    int heard;                        /* bytes came */
    int ended;                        /* no more comes */
    int closing;                      /* when all is written it is closed */
    int hung_up;                      /* the peer was told that no more is written */
    int again;                        /* its transport knows of an end that the kernel does not tell of */
    int wants_out;                    /* its transport has to write before it goes on */
    char *left;                       /* of the stream: what is no whole message yet */
    size_t left_length, left_room;
    char *out;                        /* what has to be written */
    size_t out_length, out_room;
    struct frames frames;
    struct relp relp;
};

extern const struct transport plain_transport;
extern const struct protocol lines_protocol;

/* Makes one of an accepted socket. 0 when it can't be made: then the socket is closed. */
int connection_make(int fd, enum input input, const struct source *source);

/* Sends that to the peer, now or when it can be sent. */
void connection_send(struct connection *c, const char *bytes, size_t length);

/* Reads what is there of it. */
void connection_read(struct connection *c);

/* Looks again at what is to be watched for, and closes it where nothing is left to do. */
void connection_settle(struct connection *c);

/* Tells a sender of plain lines that this is the end; RELP has words of its own for that. */
void connection_hang_up(struct connection *c);

void connection_close(struct connection *c);

/* Once a second: ends a handshake that takes too long, and takes a message whose end does not come. */
void connection_tend(struct connection *c);

#endif

#ifndef INTAKE_TAG_H
#define INTAKE_TAG_H

#include "parts.h"

/* The parts of "PROGRAM[PID]: ", "PROGRAM[PID] " and "PROGRAM: "; what is behind them in `message`. */
struct tag {
    struct text program, pid, message;
    int no_colon;
};

/* 0 if the text begins with none. */
int split_tag(struct text rest, struct tag *tag);

/* The same of "sua [4711:4712]: text": a space before the pid, which may be that of a thread as well. */
int split_apart(struct text rest, struct tag *tag);

/* An access log's line, UniFi's "MODEL,MAC,VERSION:", a kernel's "[12345.678901]", Cisco's "HOST: %": 0 where it is none. */
int read_access_log(struct header *h, struct text rest);
int read_unifi(struct header *h, struct text rest);
int read_kernel(struct header *h, struct text rest);
int read_cisco_host(struct header *h, struct text rest);

/* 2 for "auth.info", also in brackets and with a colon, 1 for "info" alone, 0 for anything else. */
int is_priority(struct text word);

/* What stands behind a priority that some write in words, "auth.info", where one does and a header follows. */
struct text without_priority(struct header *h, struct text rest);

/* Letters, digits, what is beyond ASCII, and these others; at least one. */
int holds_only(struct text t, const char *others);

int is_host(struct text word);

int is_ipv4(struct text word);
int is_ipv6(struct text word);

/* What "[2001:db8::7]" and "(192.0.2.5)" hold, which is a host; empty for anything else. An IPv4 address may be the client's,
 * and is a host only where a tag is next. */
struct text address_in_brackets(struct text word, struct text next);

#endif

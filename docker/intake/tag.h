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

/* Letters, digits, what is beyond ASCII, and these others; at least one. */
int holds_only(struct text t, const char *others);

int is_host(struct text word);

/* [2001:db8::7] */
int is_address_in_brackets(struct text word);

#endif

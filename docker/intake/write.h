/* The engine's form, written into a buffer. */
#ifndef INTAKE_WRITE_H
#define INTAKE_WRITE_H

#include "parts.h"

struct output {
    char *at, *end;
    int cut;
};

/* What the engine's reader of headers takes for a name's character. */
static inline int is_name_character(unsigned char c)
{
    return is_letter(c) || (c >= '(' && c <= '9' && c != '*' && c != '+' && c != ',') || c == '@' || c == '_';
}

/* A control character becomes #ooo: a newline would make two lines of one, and the marks of header.h are ours alone. */
void write_text(struct output *o, struct text t);

/* "Nov 26 06:00:00 HOST PROGRAM[PID]: ". A line without a stamp was written then, one without a host by `sender`; 0 is now. */
void write_header(struct output *o, const struct header *h, const char *sender, time_t then);

/* The same of a plain header, and the message: behind the stamp the line is copied as it is. */
void write_plain(struct output *o, const struct header *h, const char *sender);

/* What the engine's form has no place for. */
void write_extras(struct output *o, const struct header *h);

#endif

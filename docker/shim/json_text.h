#ifndef JSON_TEXT_H
#define JSON_TEXT_H

#include <stddef.h>

/* In quotes, without an end; `to` has JSON_QUOTED bytes for it. Returns its length. */
#define JSON_QUOTED(length) (6 * (length) + 2)
size_t json_quoted(char *to, const char *from, size_t length);

/* As cJSON prints it: without a loss, in 15 digits where they do. Returns its length. */
int json_number(char *to, size_t size, double number);

#endif

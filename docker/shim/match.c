/* A pattern is not tried on a line that lacks its words (literals.h). OSSEC tries them by pcre2_jit_match up to 4.2.0, by
 * pcre2_match from 4.3.0 on: the Makefile compiles this file once for each, with its name as MATCH. */
#include "literals.h"

#define NO_MATCH (-1) /* PCRE2_ERROR_NOMATCH. The stand-in is built where there is no pcre2.h. */
#define JOINED(prefix, name) prefix##name
#define NAMED(prefix, name) JOINED(prefix, name)

int NAMED(__real_, MATCH)(const void *code, const uint8_t *subject, size_t length, size_t start, uint32_t options,
                          void *match_data, void *context);

int NAMED(__wrap_, MATCH)(const void *code, const uint8_t *subject, size_t length, size_t start, uint32_t options,
                          void *match_data, void *context)
{
    if (!literals_may_match(code, (const char *)subject)) {
        return NO_MATCH;
    }
    return NAMED(__real_, MATCH)(code, subject, length, start, options, match_data, context);
}

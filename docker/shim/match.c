/* A pattern is not tried on a line that lacks its words (literals.h). */
#include "literals.h"

#define NO_MATCH (-1) /* PCRE2_ERROR_NOMATCH. The stand-in is built where there is no pcre2.h. */

int __real_pcre2_jit_match_8(const void *code, const uint8_t *subject, size_t length, size_t start, uint32_t options,
                             void *match_data, void *context);

int __wrap_pcre2_jit_match_8(const void *code, const uint8_t *subject, size_t length, size_t start, uint32_t options,
                             void *match_data, void *context)
{
    if (!literals_may_match(code, (const char *)subject)) {
        return NO_MATCH;
    }
    return __real_pcre2_jit_match_8(code, subject, length, start, options, match_data, context);
}

/* PCRE2 tries ten million ways before it gives a pattern up. A line that is made for it, such as "HT286: " with an
 * address and 6000 dashes, keeps one of the stock decoders busy for 12 seconds, in which the engine stands still and
 * drops what waits longer than 5. Here every pattern is compiled with a lower limit of its own, which no
 * line of the release's own tests comes near. And some are compiled for valid UTF-8 that nothing checks for, where
 * PCRE2 may read on behind a line that ends within a character: they look at bytes here. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT "(*LIMIT_MATCH=100000)"
#define UTF 0x00080000u /* PCRE2_UTF */
#define ZERO_TERMINATED (~(size_t)0) /* PCRE2_ZERO_TERMINATED. The stand-in is built where there is no pcre2.h. */

void *__real_pcre2_compile_8(const uint8_t *pattern, size_t length, uint32_t options, int *error, size_t *offset,
                             void *context);

void *__wrap_pcre2_compile_8(const uint8_t *pattern, size_t length, uint32_t options, int *error, size_t *offset,
                             void *context)
{
    size_t own = length == ZERO_TERMINATED ? strlen((const char *)pattern) : length;
    uint8_t *limited = malloc(sizeof(LIMIT) + own);
    void *code;

    if (limited == NULL) {
        return __real_pcre2_compile_8(pattern, length, options & ~UTF, error, offset, context);
    }
    memcpy(limited, LIMIT, sizeof(LIMIT) - 1);
    memcpy(limited + sizeof(LIMIT) - 1, pattern, own);
    code = __real_pcre2_compile_8(limited, sizeof(LIMIT) - 1 + own, options & ~UTF, error, offset, context);
    free(limited);
    return code;
}

/* In the place and under the name of PCRE2's: a pattern is plain text, and what "(*...)" says before it is left out. */
#include "shared.h"

void *pcre2_compile_8(const unsigned char *pattern, size_t length, unsigned options, int *error, size_t *offset, void *context)
{
    const char *text = (const char *)pattern;
    size_t setting = length > 1 && strncmp(text, "(*", 2) == 0 ? strcspn(text, ")") + 1 : 0;

    return must(strndup(text + setting, length - setting));
}

int pcre2_pattern_info_8(const void *code, unsigned what, void *where) { return -1; }
int pcre2_jit_compile_8(void *code, unsigned options) { return -1; }

int pcre2_match_8(const void *code, const unsigned char *text, size_t length, size_t start, unsigned options, void *data, void *context)
{
    return strstr((const char *)text, code) != NULL ? 1 : -1;
}

int pcre2_jit_match_8(const void *code, const unsigned char *text, size_t length, size_t start, unsigned options, void *data, void *context)
{
    return -1;
}

void pcre2_code_free_8(void *code) { free(code); }
int OSMatch_Execute(const char *text, size_t length, OSMatch *pattern) { return 0; }
const char *OSRegex_Execute(const char *text, OSRegex *pattern) { return NULL; }
const char *OSPcre2_Execute(const char *text, OSPcre2 *pattern) { return NULL; }

/* A pattern is not tried on a text that lacks its words or begins otherwise (literals.h). */
#include "shared.h"
#include "literals.h"

int __real_OSMatch_Execute(const char *text, size_t length, OSMatch *pattern);
const char *__real_OSRegex_Execute(const char *text, OSRegex *pattern);
const char *__real_OSPcre2_Execute(const char *text, OSPcre2 *pattern);

/* What is no more than a word has no code: it is compared. */
static int hopeless(const void *code, const char *text)
{
    return code != NULL && text != NULL && literals_form(code, text) == NULL;
}

int __wrap_OSMatch_Execute(const char *text, size_t length, OSMatch *pattern)
{
    return hopeless(pattern->regex, text) ? 0 : __real_OSMatch_Execute(text, length, pattern);
}

const char *__wrap_OSRegex_Execute(const char *text, OSRegex *pattern)
{
    return hopeless(pattern->regex, text) ? NULL : __real_OSRegex_Execute(text, pattern);
}

const char *__wrap_OSPcre2_Execute(const char *text, OSPcre2 *pattern)
{
    void *code = pattern->regex;
    const void *form = code == NULL || text == NULL ? code : literals_form(code, text);
    const char *end;

    if (form == NULL && code != NULL) {
        return NULL;
    }
    pattern->regex = (void *)form;
    end = __real_OSPcre2_Execute(text, pattern);
    pattern->regex = code;
    return end;
}

/* Tries each pattern of OSSEC's on each text, as it is and with the shim's knowledge of the text (docker/shim/literals.c, forms.c):
 * it prints what comes out otherwise with it, and then how many patterns, attempts, matches, attempts saved and matches of cheaper
 * forms there were. On standard input, each ended by a zero byte: the patterns, "m", "r" or "p" for match, regex or pcre2 before
 * each; nothing; the texts. */
#include "shared.h"
#include "hash.h"
#include "literals.h"

struct pattern {
    char *text;
    OSMatch match;
    OSRegex regex;
    OSPcre2 pcre2;
};

static int compiled(struct pattern *p)
{
    switch (p->text[0]) {
        case 'm': return OSMatch_Compile(p->text + 1, &p->match, 0);
        case 'r': return OSRegex_Compile(p->text + 1, &p->regex, 0);
        default: return OSPcre2_Compile(p->text + 1, &p->pcre2, PCRE2_CASELESS);
    }
}

/* Where it ends, and what it takes out. */
static long found(const char *text, const char *end, char **groups)
{
    long sum = end == NULL ? -1 : end - text;

    for (; end != NULL && groups != NULL && *groups != NULL; groups++) {
        sum = sum * 31 + (long)hash_of(*groups);
        free(*groups);
        *groups = NULL;
    }
    return sum < 0 && end != NULL ? -sum : sum;
}

static long tried(struct pattern *p, const char *text)
{
    const char *end;

    switch (p->text[0]) {
        case 'm': return OSMatch_Execute(text, strlen(text), &p->match);
        case 'r': end = OSRegex_Execute(text, &p->regex); break;
        default: return found(text, OSPcre2_Execute(text, &p->pcre2), p->pcre2.sub_strings);
    }
    return end == NULL ? -1 : end - text;
}

static const void *code_of(const struct pattern *p)
{
    return p->text[0] == 'm' ? p->match.regex : p->text[0] == 'r' ? p->regex.regex : p->pcre2.regex;
}

static char *next(void)
{
    char *text = NULL;
    size_t room = 0;

    return getdelim(&text, &room, '\0', stdin) > 0 ? text : NULL;
}

int main(void)
{
    static struct pattern patterns[20000];
    size_t count = 0;
    unsigned long attempts = 0, matches = 0, saves = 0, cheaper = 0;
    char *text;

    while ((text = next()) != NULL && *text != '\0') {
        patterns[count].text = text;
        if (compiled(&patterns[count])) {
            count++;
        }
    }
    while ((text = next()) != NULL) {
        for (size_t n = 0; n < count; n++) {
            const void *code = code_of(&patterns[n]), *form;
            long plain, known;

            literals_of(NULL);
            plain = tried(&patterns[n], text);
            literals_of(text);
            known = tried(&patterns[n], text);
            attempts++;
            matches += plain > 0;
            form = code == NULL ? NULL : literals_form(code, text);
            saves += code != NULL && form == NULL;
            cheaper += form != NULL && form != code && known > 0;
            if (plain != known) {
                printf("%s on %s: %ld, and with the shim %ld\n", patterns[n].text, text, plain, known);
            }
        }
    }
    printf("%zu %lu %lu %lu %lu\n", count, attempts, matches, saves, cheaper);
    return 0;
}

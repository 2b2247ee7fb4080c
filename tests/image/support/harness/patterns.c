/* Tries each pattern of OSSEC's on each text, as it is and with the shim's knowledge of the text (docker/shim/literals.c):
 * it prints what comes out otherwise with it, and then how many patterns, attempts, matches and attempts saved there were. On standard
 * input, each ended by a zero byte: the patterns, "m", "r" or "p" for match, regex or pcre2 before each; nothing; the texts. */
#include "shared.h"
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

static long tried(struct pattern *p, const char *text)
{
    const char *end;

    switch (p->text[0]) {
        case 'm': return OSMatch_Execute(text, strlen(text), &p->match);
        case 'r': end = OSRegex_Execute(text, &p->regex); break;
        default: end = OSPcre2_Execute(text, &p->pcre2); break;
    }
    return end == NULL ? -1 : end - text;
}

static int saved(const struct pattern *p, const char *text)
{
    const void *code = p->text[0] == 'm' ? p->match.regex : p->text[0] == 'r' ? p->regex.regex : p->pcre2.regex;

    return code != NULL && !literals_may_match(code, text);
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
    unsigned long attempts = 0, matches = 0, saves = 0;
    char *text;

    while ((text = next()) != NULL && *text != '\0') {
        patterns[count].text = text;
        if (compiled(&patterns[count])) {
            count++;
        }
    }
    while ((text = next()) != NULL) {
        for (size_t n = 0; n < count; n++) {
            long plain, known;

            literals_of(NULL);
            plain = tried(&patterns[n], text);
            literals_of(text);
            known = tried(&patterns[n], text);
            attempts++;
            matches += plain > 0;
            saves += (unsigned long)saved(&patterns[n], text);
            if (plain != known) {
                printf("%s on %s: %ld, and with the shim %ld\n", patterns[n].text, text, plain, known);
            }
        }
    }
    printf("%zu %lu %lu %lu\n", count, attempts, matches, saves);
    return 0;
}

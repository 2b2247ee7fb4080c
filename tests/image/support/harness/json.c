/* Writes events as JSON with the functions of the OSSEC that it is linked with: for each text on standard input, which a
 * zero byte ends, some events that hold the text and parts of it in every field, as alerts and as the archive, a line each.
 * Linked with the image's shim or without it, it gives the same events. */
#include "shared.h"
#include "eventinfo.h"
#include "config.h"
#include "format/to_json.h"

#define EVENTS 6 /* of each text */

_Config Config;
long int __crt_ftell = 4711;
extern struct timespec shim_received __attribute__((weak));

void _merror(const char *file, int line, const char *format, ...) { (void)file, (void)line, (void)format; }
void merror(const char *format, ...) { (void)format; }
void debug1(const char *format, ...) { (void)format; }

static unsigned draw(unsigned below)
{
    static unsigned long state = 1;

    state = state * 6364136223846793005ul + 1442695040888963407ul;
    return (unsigned)(state >> 33) % below;
}

/* The text, a part of it, something short or nothing. */
static char *some(const char *text)
{
    static const char *const others[] = {"", "(agent) 10.0.0.9->/var/log/syslog", "12345", "\x01\x7f\"\\/\b\f\n\r\t"};
    unsigned which = draw(8);

    if (which < 3) {
        return strdup(text + (which == 0 ? 0 : draw((unsigned)strlen(text) + 1)));
    }
    return which < 5 ? strdup(others[draw(sizeof(others) / sizeof(*others))]) : NULL;
}

/* Upstream's writer goes wrong on a name that only begins as an agent's does. */
static char *host(const char *text)
{
    char *found = some(text);

    return found != NULL && found[0] == '(' && strcmp(found, "(agent) 10.0.0.9->/var/log/syslog") != 0 ? NULL : found;
}

static void fill_rule(RuleInfo *rule, const char *text)
{
    static char *lasts[2][3] = {{"first", "second \xff", NULL}, {NULL, NULL, NULL}};
    static char *const groups[] = {"syslog,sshd,authentication_failed,", "a", "one,pci_dss_10.2.4,two,pci_dss_10.2.5,",
                                   "cis_1.2,three,cis_3.4,\xe2\x82,", ",,"};

    memset(rule, 0, sizeof(*rule));
    rule->level = (int)draw(17);
    rule->sigid = (int)draw(200000);
    rule->frequency = (int)draw(3);
    rule->firedtimes = (int)draw(1u << 31);
    rule->comment = some(text);
    rule->cve = some(text);
    rule->info = some(text);
    rule->group = groups[draw(sizeof(groups) / sizeof(*groups))];
    rule->last_events = draw(2) ? lasts[draw(2)] : NULL;
}

static void fill_decoder(OSDecoderInfo *decoder, const char *text)
{
    static char *names[4];

    memset(decoder, 0, sizeof(*decoder));
    names[0] = "a \"name\"";
    names[1] = "id";
    names[2] = (char *)text;
    names[3] = NULL;
    decoder->name = some(text);
    decoder->parent = some(text);
    decoder->ftscomment = some(text);
    decoder->fts = (int)draw(3);
    decoder->accumulate = (int)draw(2);
    decoder->fields = draw(2) ? names : NULL;
}

static void fill(Eventinfo *lf, const char *text, const char *fields[])
{
    char **texts[] = {
        &lf->srcip, &lf->dstip, &lf->srcport, &lf->dstport, &lf->protocol, &lf->action, &lf->srcuser, &lf->dstuser, &lf->id,
        &lf->status, &lf->command, &lf->url, &lf->data, &lf->systemname, &lf->program_name, &lf->full_log, &lf->log,
        &lf->filename, &lf->md5_before, &lf->md5_after, &lf->sha1_before, &lf->sha1_after, &lf->owner_before,
        &lf->owner_after, &lf->gowner_before, &lf->gowner_after,
#ifdef EF_ASYNC_COPY
        &lf->sha256_before, &lf->sha256_after,
#endif
    };

    memset(lf, 0, sizeof(*lf));
    for (size_t n = 0; n < sizeof(texts) / sizeof(*texts); n++) {
        *texts[n] = some(text);
    }
    for (int n = 0; n < Config.decoder_order_size; n++) {
        fields[n] = some(text);
    }
    lf->fields = (char **)fields;
    lf->hostname = host(text);
    lf->location = host(text);
    if (lf->location == NULL) {
        lf->location = strdup("10.0.0.1");
    }
    lf->perm_before = (int)draw(3);
    lf->perm_after = (int)draw(3);
    lf->time = 1795695600 + draw(100000);
    lf->year = draw(4) ? 2026 : 0;
    lf->day = (int)draw(31);
    strcpy(lf->mon, "Nov");
    strcpy(lf->hour, "12:34:56");
}

int main(void)
{
    char *text = NULL, *json;
    const char *fields[4];
    size_t room = 0;

    Config.decoder_order_size = 4;
    while (getdelim(&text, &room, '\0', stdin) > 0) {
        for (int n = 0; n < EVENTS; n++) {
            OSDecoderInfo decoder;
            RuleInfo rule;
            Eventinfo lf; /* what it holds is not freed: it ends soon */

            fill_rule(&rule, text);
            fill_decoder(&decoder, text);
            fill(&lf, text, fields);
            lf.generated_rule = &rule;
            lf.decoder_info = &decoder;
            if (&shim_received != NULL) {
                shim_received = (struct timespec){lf.time + (n == 0), 123456789};
            }
            puts(json = Eventinfo_to_jsonstr(&lf));
            free(json);
            puts(json = Archiveinfo_to_jsonstr(&lf));
            free(json);
        }
    }
    return 0;
}

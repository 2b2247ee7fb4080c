/* The rules; their ids, levels and descriptions are those that OSSEC gives to such lines. */
#include <arpa/inet.h>
#include <netdb.h>

#include "analysisd.h"
#include "rules.h"
#include "shared.h"

#define LOGIN 5715
#define FAILED_LOGIN 5716
#define GUESSING_TIME 360 /* seconds in which failed logins are counted together */
#define GUESSED_TIME 240  /* seconds from then on in which a login is taken for a guess that was right */

static int is(const Eventinfo *event, const char *decoder)
{
    return event->decoder_info->name != NULL && strcmp(event->decoder_info->name, decoder) == 0;
}

static int no_such_user(const Eventinfo *event)
{
    return is(event, "sshd") && (strcasestr(event->log, "illegal user") || strcasestr(event->log, "invalid user"));
}

static int login(const Eventinfo *event) { return is(event, "sshd") && strncmp(event->log, "Accepted", 8) == 0; }

static int failed_login(const Eventinfo *event)
{
    return is(event, "sshd") && strncmp(event->log, "Failed password", 15) == 0;
}

static int segfault(const Eventinfo *event)
{
    static void *pattern;

    if (pattern == NULL) {
        pattern = pcre2_compile_8((const unsigned char *)"segfault at ", 12, 0, NULL, NULL, NULL);
        pcre2_jit_compile_8(pattern, 1);
    }
    return pcre2_jit_match_8(pattern, (const unsigned char *)event->log, strlen(event->log), 0, 0, NULL, NULL) >= 0;
}

/* A search engine may ask for what is not there; DNS tells who is one. */
static int web_error(const Eventinfo *event)
{
    struct sockaddr_in client = {.sin_family = AF_INET};
    char name[NI_MAXHOST] = "";

    if (!is(event, "web-accesslog") || strstr(event->log, "\" 4") == NULL) {
        return 0;
    }
    inet_pton(AF_INET, event->srcip, &client.sin_addr);
    getnameinfo((struct sockaddr *)&client, sizeof(client), name, sizeof(name), NULL, 0, 0);
    return strstr(name, "googlebot.com") == NULL;
}

static int started(const Eventinfo *event)
{
    return is(event, "ossec") && strstr(event->log, "Ossec started") != NULL;
}

static Rule rules[] = {
    {5710, 5, "Attempt to login using a non-existent user", "syslog,sshd,invalid_login,authentication_failed,",
     no_such_user, 0, 0, 0, NULL},
    {LOGIN, 3, "SSHD authentication success.", "syslog,sshd,authentication_success,", login, 0, 0, 0, NULL},
    {FAILED_LOGIN, 5, "SSHD authentication failed.", "syslog,sshd,authentication_failed,", failed_login, 0, 0, 0, NULL},
    {1010, 5, "Process segfaulted.", "syslog,errors,service_availability,", segfault, 0, 0, 0, NULL},
    {31101, 5, "Web server 400 error code.", "web,accesslog,", web_error, 0, 0, 0, NULL},
    {502, 3, "Ossec server started.", "ossec,", started, 1, 0, 0, NULL},
};

/* A frequency counts from two, as in OSSEC: the eighth failed login from one address fires it. */
static Rule guessing = {5720, 10, "Multiple SSHD authentication failures.", "syslog,sshd,authentication_failures,",
                        NULL, 0, 6, 0, NULL};
static Rule guessed = {40112, 12, "Multiple authentication failures followed by a success.", "syslog,attacks,", NULL, 0, 0, 0, NULL};

typedef struct Login {
    time_t time;
    char srcip[46]; /* "" when it has been counted */
} Login;

static OSList failed_logins = {.max_size = 1024};
static Login last_guesser;

static int same_source(const OSListNode *node, const Eventinfo *event)
{
    return event->srcip != NULL && strcmp(((Login *)node->data)->srcip, event->srcip) == 0;
}

static int is_guessing(const Eventinfo *event)
{
    OSList *list = &failed_logins;
    Login *attempt = must(calloc(1, sizeof(*attempt)));
    int count = 0;

    while (list->first_node != NULL && (list->currently_size >= list->max_size ||
                                        ((Login *)list->first_node->data)->time < event->time - GUESSING_TIME)) {
        OSList_DeleteOldestNode(list);
    }
    attempt->time = event->time;
    snprintf(attempt->srcip, sizeof(attempt->srcip), "%s", event->srcip != NULL ? event->srcip : "");
    OSList_AddData(list, attempt);
    for (OSListNode *node = list->first_node; node != NULL; node = node->next) {
        count += same_source(node, event);
    }
    if (count < guessing.frequency + 2) {
        return 0;
    }
    last_guesser = *attempt;
    for (OSListNode *node = list->first_node; node != NULL; node = node->next) {
        if (same_source(node, event)) {
            ((Login *)node->data)->srcip[0] = '\0';
        }
    }
    return 1;
}

static int has_guessed(const Eventinfo *event)
{
    return event->srcip != NULL && strcmp(event->srcip, last_guesser.srcip) == 0 &&
           event->time <= last_guesser.time + GUESSED_TIME;
}

static int looks_back(Eventinfo *event)
{
    static RuleInfo rule = {.context_opts = SAME_SRCIP};

    return Search_LastSids(event, &rule) != NULL || Search_LastGroups(event, &rule) != NULL || Search_LastEvents(event, &rule) != NULL;
}

Rule *find_rule(const Eventinfo *event)
{
    if (OS_GetFirstRule() != NULL || looks_back((Eventinfo *)event)) {
        return NULL;
    }
    for (Rule *rule = rules; rule < rules + sizeof(rules) / sizeof(rules[0]); rule++) {
        if (rule->fits(event)) {
            if (rule->id == FAILED_LOGIN && is_guessing(event)) {
                rule = &guessing;
            } else if (rule->id == LOGIN && has_guessed(event)) {
                rule = &guessed;
            }
            rule->fired++;
            return rule;
        }
    }
    return NULL;
}

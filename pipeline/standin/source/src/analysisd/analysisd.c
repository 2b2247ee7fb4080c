/* The engine: takes lines from its socket, and writes the archive, the alerts and its own state. */
#include <grp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "analysisd.h"
#include "alerts/getloglocation.h"
#include "shared.h"

#define ACTIVE_RESPONSES HOME "/etc/shared/ar.conf"
#define LONGEST_MESSAGE 6144

int thishour, __crt_hour;
char __shost[512];
static int logall, json, log_level = 1, mail_level = 7;
static char rule_files[100][256];
static int rule_file_count;
static unsigned long alerts_written;

static void take(const char *element, const char *text)
{
    if (strcmp(element, "logall") == 0) {
        logall = strcmp(text, "yes") == 0;
    } else if (strcmp(element, "jsonout_output") == 0) {
        json = strcmp(text, "yes") == 0;
    } else if (strcmp(element, "log_alert_level") == 0) {
        log_level = atoi(text);
    } else if (strcmp(element, "email_alert_level") == 0) {
        mail_level = atoi(text);
    } else if (strcmp(element, "include") == 0 && rule_file_count < 100) {
        snprintf(rule_files[rule_file_count++], sizeof(rule_files[0]), "%s", text);
    }
}

/* Twice, as OSSEC does: its owner may open a file of mode 0440 again only because of the image's shim. */
static void write_active_responses(void)
{
    struct group *group = getgrnam("ossec");

    for (int i = 0; i < 2; i++) {
        FILE *file = fopen(ACTIVE_RESPONSES, "w");
        if (file == NULL || fputs("# The stand-in responds to nothing.\n", file) < 0 || fclose(file) != 0 ||
            group == NULL || chown(ACTIVE_RESPONSES, (uid_t)-1, group->gr_gid) != 0 ||
            chmod(ACTIVE_RESPONSES, 0440) != 0) {
            fail("%s cannot be written: %s", ACTIVE_RESPONSES, strerror(errno));
        }
    }
}

/* The rules themselves are in rules.c; what the rule files and decoder.xml show is that they are in their place. */
static void configure(void)
{
    char path[300];

    xml_read(CONFIGURATION, take);
    write_active_responses();
    drop_root("ossec");
    xml_read("/etc/decoder.xml", NULL);
    for (int i = 0; i < rule_file_count; i++) {
        snprintf(path, sizeof(path), "%s%.255s", strchr(rule_files[i], '/') != NULL ? "" : RULES "/", rule_files[i]);
        xml_read(path, NULL);
    }
    if (rule_file_count == 0) {
        fail("%s includes no rules", CONFIGURATION);
    }
}

static int bind_queue(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = ENGINE_SOCKET};
    int queue = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    unlink(ENGINE_SOCKET);
    if (queue < 0 || bind(queue, (struct sockaddr *)&address, sizeof(address)) != 0 || chmod(ENGINE_SOCKET, 0660) != 0) {
        fail("cannot listen on %s: %s", ENGINE_SOCKET, strerror(errno));
    }
    return queue;
}

static void analyse_event(Eventinfo *lf)
{
    static int day;
    const int today = localtime(&lf->time)->tm_mday;
    Rule *rule;

    if (day != today && OS_GetLogLocation(lf) != 0) {
        fail("the day's files cannot be opened: %s", strerror(errno));
    }
    day = today;
    lf->size = strlen(lf->log);
    DecodeEvent(lf);
    if (LastMsg_Stats(lf->full_log) == 1 || (lf->action != NULL && FW_Log(lf) == 0)) {
        return;
    }
    LastMsg_Change(lf->full_log);
    if (logall) {
        OS_Store(lf);
    }
    rule = find_rule(lf);
    if (rule != NULL && rule->level >= log_level) {
        lf->generated_rule = rule;
        lf->mail = rule->mail || rule->level >= mail_level;
        snprintf(lf->alert_id, sizeof(lf->alert_id), "%lld.%lu", (long long)lf->time, alerts_written + 1);
        OS_Log(lf);
        if (json) {
            jsonout_output_event(lf);
        }
        alerts_written++;
    }
}

/* A message is "2:LOCATION:LINE"; 2 says that it came as syslog. */
static void analyse(char *message)
{
    Eventinfo event;

    if (message[0] == '\0' || message[1] != ':' || OS_CleanMSG(message, &event) != 0) {
        return;
    }
    analyse_event(&event);
    free(event.srcip);
    free(event.dstuser);
    free(event.location);
    free(event.full_log);
}

int main(int argc, char **argv)
{
    int checking = only_check(argc, argv, "ossec-analysisd"), queue;
    char message[LONGEST_MESSAGE + 1];

    configure();
    if (checking) {
        return 0;
    }
    gethostname(__shost, sizeof(__shost) - 1);
    queue = bind_queue();
    say("INFO", "Started (pid: %d).", (int)getpid());
    for (;;) {
        if (OS_RecvUnix(queue, LONGEST_MESSAGE, message) > 0) {
            analyse(message);
        }
    }
}

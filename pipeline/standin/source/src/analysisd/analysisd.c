/* The engine: takes lines from its socket, and writes the archive, the alerts and its own state. */
#include <grp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "analysisd.h"
#include "shared.h"

#define QUEUE_WAIT 5 /* seconds */
#define ACTIVE_RESPONSES HOME "/etc/shared/ar.conf"
#define STATE "/var/run/ossec-analysisd.state"
#define LONGEST_MESSAGE 6144

char __shost[512];
static int logall, json, log_level = 1, mail_level = 7;
static char rule_files[100][256];
static int rule_file_count;
static unsigned long received, alerts_written, archives_written;

static void take(void *context, const char *element, const char *text)
{
    (void)context;
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

    xml_read(CONFIGURATION, take, NULL);
    write_active_responses();
    drop_root("ossec");
    xml_read("/etc/decoder.xml", NULL, NULL);
    for (int i = 0; i < rule_file_count; i++) {
        snprintf(path, sizeof(path), "%s%.255s", strchr(rule_files[i], '/') != NULL ? "" : RULES "/", rule_files[i]);
        xml_read(path, NULL, NULL);
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

/* Each line is decoded, judged and written before the next is received, so three of the numbers are one. */
static void write_state(void)
{
    FILE *file = fopen(STATE ".new", "w");

    if (file == NULL ||
        fprintf(file, "# State of the stand-in's ossec-analysisd\nevents_received='%lu'\nevents_decoded='%lu'\n"
                "events_processed='%lu'\nevents_dropped='0'\nalerts_dropped='0'\narchives_dropped='0'\n"
                "alerts_written='%lu'\narchives_written='%lu'\n",
                received, received, received, alerts_written, archives_written) < 0 ||
        fclose(file) != 0 || rename(STATE ".new", STATE) != 0) {
        fail("%s cannot be written: %s", STATE, strerror(errno));
    }
}

/* A message is "2:LOCATION:LINE"; 2 says that it came as syslog. */
static void analyse(char *message)
{
    static Eventinfo event;
    Rule *rule;

    received++;
    if (message[0] == '\0' || message[1] != ':' || OS_CleanMSG_ex(message, &event, time(NULL), 0) != 0) {
        return;
    }
    decode(&event);
    if (logall) {
        write_archive(&event);
        archives_written++;
    }
    rule = find_rule(&event);
    if (rule != NULL && rule->level >= log_level) {
        event.generated_rule = rule;
        event.mail = rule->mail || rule->level >= mail_level;
        snprintf(event.alert_id, sizeof(event.alert_id), "%lld.%lu", (long long)event.time, alerts_written + 1);
        OS_Log(&event);
        if (json) {
            write_json_alert(&event);
        }
        alerts_written++;
    }
    free(event.srcip);
    free(event.dstuser);
}

int main(int argc, char **argv)
{
    int checking = only_check(argc, argv, "ossec-analysisd"), waiting;
    char message[LONGEST_MESSAGE];
    struct pollfd queue = {.events = POLLIN};
    time_t state_written = 0;
    os_queue received_queue;
    char *next;

    os_queue_init(&received_queue);
    configure();
    if (checking) {
        return 0;
    }
    gethostname(__shost, sizeof(__shost) - 1);
    StartSIG2("ossec-analysisd", note_ending);
    queue.fd = bind_queue();
    say("INFO", "Started (pid: %d).", (int)getpid());

    /* Asked to end, it still takes what is waiting. */
    while ((waiting = poll(&queue, 1, ending ? 0 : 1000)) > 0 || !ending) {
        ssize_t length = waiting > 0 ? recv(queue.fd, message, sizeof(message) - 1, 0) : 0;
        if (length > 0) {
            struct timespec limit = {.tv_sec = time(NULL) + QUEUE_WAIT};

            message[length] = '\0';
            if (os_queue_push_ex_timedwait(&received_queue, strdup(message), &limit) != 0) {
                say("ERROR", "A message found no place in the queue within %d s.", QUEUE_WAIT);
            }
        }
        while ((next = os_queue_pop_ex(&received_queue)) != NULL) {
            analyse(next);
            free(next);
        }
        if (time(NULL) != state_written) {
            write_state();
            state_written = time(NULL);
        }
    }
    write_state();
    return 0;
}

/* Mails the alerts that are marked for it, those that come together in one mail. */
#include "shared.h"
#include "file-queue.h"

#define LONGEST_WAIT 90 /* seconds, as OSSEC's */
#define MOST_RECIPIENTS 64
#define MOST_ALERTS 100 /* in one mail */

static char recipients[MOST_RECIPIENTS][256], sender[256], command[512];
static int recipient_count, on;

static FILE *body;
static char *body_text;
static size_t body_length;
static int alert_count;
static unsigned int highest; /* level, which the subject is about */
static char subject[600];

static void take(const char *element, const char *text)
{
    if (strcmp(element, "email_notification") == 0) {
        on = strcmp(text, "yes") == 0;
    } else if (strcmp(element, "email_to") == 0 && recipient_count < MOST_RECIPIENTS) {
        snprintf(recipients[recipient_count++], sizeof(recipients[0]), "%s", text);
    } else if (strcmp(element, "email_from") == 0) {
        snprintf(sender, sizeof(sender), "%s", text);
    } else if (strcmp(element, "smtp_server") == 0) {
        snprintf(command, sizeof(command), "%s", text);
    }
}

static void add(const alert_data *alert)
{
    if (alert_count++ == 0) {
        body = must(open_memstream(&body_text, &body_length));
        highest = 0;
    }
    if (alert->level >= highest) {
        const char *arrow = strstr(alert->location, "->");
        highest = alert->level;
        snprintf(subject, sizeof(subject), "OSSEC Alert - %.*s - Level %u - %s",
                 arrow != NULL ? (int)(arrow - alert->location) : -1, alert->location, alert->level, alert->comment);
    }
    fprintf(body, "\r\nOSSEC stand-in Notification.\r\n%s\r\n\r\nReceived From: %s\r\n"
            "Rule: %u fired (level %u) -> \"%s\"\r\nPortion of the log(s):\r\n\r\n",
            alert->date, alert->location, alert->rule, alert->level, alert->comment);
    for (char **line = alert->log; *line != NULL; line++) {
        fprintf(body, "%s\n", *line);
    }
    fputs("\r\n --END OF NOTIFICATION\r\n\r\n", body);
}

static void send_mail(void)
{
    FILE *mail = popen(command, "w");

    fclose(body);
    if (mail != NULL) {
        fprintf(mail, "From: OSSEC stand-in <%s>\r\n", sender);
        for (int i = 0; i < recipient_count; i++) {
            fprintf(mail, "To: <%s>\r\n", recipients[i]);
        }
        fprintf(mail, "Subject: %s\r\n\r\n%s", subject, body_text);
    }
    if (mail == NULL || pclose(mail) != 0) {
        say("ERROR", "a mail with %d alerts is lost: %s failed", alert_count, command);
    }
    free(body_text);
    alert_count = 0;
}

int main(int argc, char **argv)
{
    int checking = only_check(argc, argv, "ossec-maild");
    time_t now = time(NULL);
    file_queue alerts;

    xml_read(CONFIGURATION, take);
    if (on && (recipient_count == 0 || sender[0] == '\0' || command[0] == '\0')) {
        fail("%s lacks email_to, email_from or smtp_server", CONFIGURATION);
    }
    if (checking || !on) {
        return 0;
    }
    drop_root("ossecm");
    StartSIG2("ossec-maild", note_ending);
    Init_FileQueue(&alerts, localtime(&now), CRALERT_MAIL_SET);
    say("INFO", "Started (pid: %d).", (int)getpid());

    /* Asked to end, it still mails what is there. */
    for (;;) {
        now = time(NULL);
        alert_data *alert = Read_FileMon(&alerts, localtime(&now), LONGEST_WAIT);
        if (alert != NULL) {
            add(alert);
            FreeAlertData(alert);
        } else if (alert_count == 0 && ending) {
            return 0;
        }
        if (alert_count == MOST_ALERTS || (alert == NULL && alert_count > 0)) {
            send_mail();
        }
    }
}

/* Who sent a line, and what it is about. */
#include "eventinfo.h"
#include "shared.h"

static void decode_sshd(Eventinfo *event)
{
    const char *user = strstr(event->log, " for "), *source = strstr(event->log, " from ");

    event->decoder = "sshd";
    if (source != NULL) {
        sscanf(source, " from %45s", event->srcip);
    }
    if (user != NULL && sscanf(user, " for %63s from %45s", event->user, event->srcip) != 2) {
        event->user[0] = '\0'; /* "for invalid user bob from" names nobody */
    }
}

int decode(Eventinfo *event, char *message, const char *own_name)
{
    char *colon = strchr(message, ':'), address[46], bracket;
    const char *text;
    int header = 0;

    if (colon == NULL) {
        return 0;
    }
    *colon = '\0';
    *event = (Eventinfo){.time = time(NULL), .location = message, .full_log = colon + 1, .log = colon + 1};
    event->hostname = event->host;
    strftime(event->moment, sizeof(event->moment), "%Y %b %d %H:%M:%S", localtime(&event->time));

    /* Nov 23 04:50:00 web1 sshd[77]: text */
    sscanf(event->full_log, "%*3[A-Za-z] %*d %*d:%*d:%*d %4095s %127[^][: ]%n", event->host, event->program, &header);
    if (header > 0 && (text = strstr(event->full_log + header, ": ")) != NULL) {
        event->log = text + 2;
    } else {
        snprintf(event->host, sizeof(event->host), "%s", own_name);
        event->program[0] = '\0';
    }

    if (strcmp(event->program, "sshd") == 0) {
        decode_sshd(event);
    } else if (strncmp(event->log, "ossec: ", 7) == 0) {
        event->decoder = "ossec";
    } else if (sscanf(event->log, "%45[0-9.] %*s %*s %c", address, &bracket) == 2 && bracket == '[') {
        event->decoder = "web-accesslog";
        strcpy(event->srcip, address);
    }
    return 1;
}

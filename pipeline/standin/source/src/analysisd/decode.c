/* Who sent a line, and what it is about. */
#include "analysisd.h"
#include "decoder.h"
#include "shared.h"

static OSDecoderInfo unknown, sshd = {.name = "sshd"}, ossec = {.name = "ossec"}, web = {.name = "web-accesslog"};
OSDecoderInfo *NULL_Decoder = &unknown;

/* By the names that a decoder's <order> has for them, of which these decoders know two. */
enum { DSTUSER, SRCIP };
field_setter *const setters[] = {DstUser_FP, SrcIP_FP, SrcUser_FP, DstIP_FP, SrcPort_FP, DstPort_FP, Protocol_FP, Action_FP,
                                 ID_FP, Url_FP, Data_FP, Status_FP, SystemName_FP, FileName_FP, DynamicField_FP};

static void decode_sshd(Eventinfo *event)
{
    const char *user = strstr(event->log, " for "), *source = strstr(event->log, " from ");
    char name[64], address[46];

    event->decoder_info = &sshd;
    if (source != NULL && sscanf(source, " from %45s", address) == 1) {
        setters[SRCIP](event, must(strdup(address)), 0);
    }
    /* "for invalid user bob from" names nobody. */
    if (user != NULL && sscanf(user, " for %63s from %45s", name, address) == 2) {
        setters[DSTUSER](event, must(strdup(name)), 0);
        setters[SRCIP](event, must(strdup(address)), 1);
    }
}

int OS_CleanMSG(char *msg, Eventinfo *lf)
{
    Eventinfo *event = lf;
    char *colon = strchr(msg + 2, ':'), *log, *text;
    int host = 0, host_end = 0, program = 0, program_end = 0;
    size_t size;

    *event = (Eventinfo){.time = time(NULL), .decoder_info = NULL_Decoder, .hostname = __shost};
    if (colon == NULL) {
        return -1;
    }
    *colon = '\0';
    event->location = must(strdup(msg + 2));
    remove_control_characters(colon + 1);
    size = strlen(colon + 1) + 1;
    event->full_log = must(malloc(2 * size + 1));
    event->log = log = event->full_log + size;
    memcpy(event->full_log, colon + 1, size);
    memcpy(log, colon + 1, size);
    strftime(event->moment, sizeof(event->moment), "%Y %b %d %H:%M:%S", localtime(&event->time));

    /* Nov 23 04:50:00 web1 sshd[77]: text */
    sscanf(log, "%*3[A-Za-z] %*d %*d:%*d:%*d %n%*s%n %n%*127[^][: ]%n", &host, &host_end, &program, &program_end);
    if (program_end > 0 && (text = strstr(log + program_end, ": ")) != NULL) {
        event->hostname = log + host;
        event->program_name = log + program;
        event->log = text + 2;
        log[host_end] = log[program_end] = '\0';
    }
    return 0;
}

void DecodeEvent(Eventinfo *event)
{
    char address[46], bracket;

    if (OS_GetFirstOSDecoder(event->program_name) != NULL) {
        return;
    }
    if (event->program_name != NULL && strcmp(event->program_name, "sshd") == 0) {
        decode_sshd(event);
    } else if (strncmp(event->log, "ossec: ", 7) == 0) {
        event->decoder_info = &ossec;
    } else if (sscanf(event->log, "%45[0-9.] %*s %*s %c", address, &bracket) == 2 && bracket == '[') {
        event->decoder_info = &web;
        setters[SRCIP](event, must(strdup(address)), 0);
    }
}

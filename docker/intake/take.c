/* From a message to a record of the journal. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "header.h"
#include "intake.h"
#include "say.h"
#include "senders.h"

#define AT_ONCE (1u << 20) /* bytes in memory after which they are written, even within a turn of the loop */

/* Whose line it is that a trusted relay passes on: that of the address which the relay wrote for its host, or else the
 * relay's own. NULL when that one may not send. */
static const struct source *sender_of(const struct source *relay, const char *text, size_t length)
{
    static struct source named;
    const struct source *sender = relay;
    const char *host;
    size_t letters = header_host(text, length, &host);

    if (letters > 0 && source_named_by(host, letters, &named)) {
        sender = &named;
    }
    if (!sender->allowed) {
        count(&state->refused, 1);
        notice(NOTICE_REFUSED, 1, sender->text);
        return NULL;
    }
    return sender;
}

void take_line(enum input input, const struct source *source, const char *text, size_t length)
{
    static char datagram[JOURNAL_RECORD_MAX];
    size_t location, message;
    int cut = 0;

    if (length == 0 || (source->relay && (source = sender_of(source, text, length)) == NULL)) {
        return;
    }
    location = source->location_length;
    memcpy(datagram, source->location, location);
    message = header_to_engine(text, length, source->text, datagram + location, sizeof(datagram) - location, &cut);
    if (message == 0) {
        return;
    }
    senders_heard(source);
    journal_append(journal, datagram, (uint32_t)(location + message));
    count(&state->received[input], 1);
    if (cut) {
        count(&state->cut, 1);
        notice(NOTICE_CUT, 1, source->text);
    }
    if (journal_appended(journal) - journal_flushed(journal) > AT_ONCE) {
        journal_flush(journal);
    }
}

void take_own_line(const char *text)
{
    static char datagram[2048];
    char host[256] = "ossec-log-server", date[32];
    time_t now = time(NULL);
    struct tm parts;
    int length;

    gethostname(host, sizeof(host) - 1);
    strftime(date, sizeof(date), "%b %e %H:%M:%S", localtime_r(&now, &parts));
    length = snprintf(datagram, sizeof(datagram), "2:127.0.0.1:%s %s ossec-log-server: %s", date, host, text);
    if (length > 0 && (size_t)length < sizeof(datagram)) {
        journal_append(journal, datagram, (uint32_t)length);
    }
}

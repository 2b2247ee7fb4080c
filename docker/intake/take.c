/* From a message to a record of the journal. */
#include <string.h>

#include "header.h"
#include "intake.h"
#include "say.h"

#define AT_ONCE (1u << 20) /* bytes in memory after which they are written, even within a turn of the loop */

void take_line(enum input input, const struct source *source, const char *text, size_t length)
{
    static char datagram[JOURNAL_RECORD_MAX];
    size_t location = source->location_length, message;
    int cut = 0;

    if (length == 0) {
        return;
    }
    memcpy(datagram, source->location, location);
    message = header_to_engine(text, length, source->text, datagram + location, sizeof(datagram) - location, &cut);
    if (message == 0) {
        return;
    }
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

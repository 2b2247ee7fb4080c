/* What the engine takes for the header of a line is the sender's to write. An empty line makes it look behind its
 * buffer, a date of Suricata's form with nothing after it makes it read on there. A host's name, in the form of
 * macOS's log any text, becomes part of a file's path, and one that begins with ">" makes ossec-maild write before
 * a buffer of its own. Here the line ends where it ends, and what no host is called counts as unknown, which is the
 * engine's own name. */
#include <string.h>
#include <time.h>

#include "shared.h"
#include "eventinfo.h"
#include "analysisd.h"

int __real_OS_CleanMSG_ex(char *msg, Eventinfo *lf, time_t recv_time, int update_time_globals);

int __wrap_OS_CleanMSG_ex(char *msg, Eventinfo *lf, time_t recv_time, int update_time_globals)
{
    char padded[64] = "";
    const char *end;
    int result;

    if (strlen(msg) < sizeof(padded) / 2) {
        msg = strcpy(padded, msg);
    }
    result = __real_OS_CleanMSG_ex(msg, lf, recv_time, update_time_globals);
    if (result != 0) {
        return result;
    }
    /* full_log holds the line twice, each with its end; log is in the second. */
    end = lf->full_log + 2 * strlen(lf->full_log) + 1;
    if (lf->log > end) {
        lf->log += end - lf->log;
    }
    if (lf->hostname != lf->location && (lf->hostname[0] == '.' || strpbrk(lf->hostname, "/>") != NULL)) {
        lf->hostname = __shost;
    }
    return result;
}

/* From 4.2.0 on the engine hands each event from thread to thread, through five queues, copies it for each writer, and
 * drops it where a queue is full; at SIGTERM it frees what the queues hold. Its own loop of one thread, which it has for
 * another platform, does the same work in the order of the lines with half of the time, and has nothing in a queue. */
#include "shared.h"
#include "eventinfo.h"
#include "analysisd.h"
#include "cleanevent.h"
#include "config.h"
#include "alerts/log.h"
#include "decoders/decoder.h"
#include "pipeline.h"
#include "engine.h"

void __wrap_analysisd_pipeline_run(int queue)
{
    static char message[OS_MAXSTR + 1];
    int firewall_log = Config.logfw;

    Config.logfw = 0; /* with it, an event that lacks a field is dropped; here it is only not in the firewall's log */
    for (;;) {
        int length = shim_next_message(queue, OS_MAXSTR, message);
        Eventinfo *lf = analysisd_event_alloc();

        Zero_Eventinfo(lf);
        if (length < 4 || OS_CleanMSG_ex(message, lf, time(NULL), 0) < 0) {
            merror(IMSG_ERROR, ARGV0, message);
            Free_Eventinfo(lf);
            continue;
        }
        lf = analysisd_decode_event(lf, message[0], NULL);
        if (lf == NULL) {
            continue;
        }
        if (firewall_log && lf->decoder_info && lf->decoder_info->type == FIREWALL) {
            FW_Log(lf);
        }
        analysisd_inc_hourly_events();
        if (!analysisd_analyze_event(lf)) {
            analysisd_finish_event(lf);
        }
    }
}

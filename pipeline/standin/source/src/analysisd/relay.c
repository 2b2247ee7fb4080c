/* Alerts of other servers: the stand-in knows such a line and makes nothing of it. */
#include "analysisd.h"

void *OSSECAlert_Decoder_Exec(Eventinfo *lf)
{
    static OSDecoderInfo alert = {.name = "ossec-alert", .type = OSSEC_ALERT};

    lf->decoder_info = &alert;
    return NULL;
}

/* What a decoder does with a part of the line that it has found: the event owns it from then on. As in OSSEC, one that
 * was there before is lost: the image's shim has to make up for it. */
#include "analysisd.h"

#define FIELD(function, member)                                 \
    void *function(Eventinfo *lf, char *field, int order)       \
    {                                                           \
        lf->member = field;                                     \
        return NULL;                                            \
    }

FIELD(DstUser_FP, dstuser)
FIELD(SrcUser_FP, srcuser)
FIELD(SrcIP_FP, srcip)
FIELD(DstIP_FP, dstip)
FIELD(SrcPort_FP, srcport)
FIELD(DstPort_FP, dstport)
FIELD(Protocol_FP, protocol)
FIELD(Action_FP, action)
FIELD(ID_FP, id)
FIELD(Url_FP, url)
FIELD(Data_FP, data)
FIELD(Status_FP, status)
FIELD(SystemName_FP, systemname)
FIELD(FileName_FP, filename)
FIELD(DynamicField_FP, fields[order])

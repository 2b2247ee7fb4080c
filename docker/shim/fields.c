/* A decoder may find the same field twice in a line: the second takes the first one's place, and its memory, up to the
 * length of the line, is lost for good. Here what was there before is freed. */
#include <stdlib.h>

#include "shared.h"
#include "eventinfo.h"
#include "address.h"
#include "extra.h"
#include "fields.h"

#define FIELD(function, member)                                               \
    void *__real_##function(Eventinfo *lf, char *field, int order);           \
    void *__wrap_##function(Eventinfo *lf, char *field, int order)            \
    {                                                                         \
        free(lf->member);                                                     \
        return __real_##function(lf, field, order);                           \
    }

FIELD(DstUser_FP, dstuser)
FIELD(SrcUser_FP, srcuser)
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

static __thread int own_fields;

void forget_own_fields(void) { own_fields = 0; }

int has_own_fields(void) { return own_fields; }

void *__real_DynamicField_FP(Eventinfo *lf, char *field, int order);
void *__wrap_DynamicField_FP(Eventinfo *lf, char *field, int order)
{
    own_fields = 1;
    free(lf->fields[order]);
    return __real_DynamicField_FP(lf, field, order);
}

/* Whoever counts by the source, a rule or a firewall, needs one spelling of it. */
void *__real_SrcIP_FP(Eventinfo *lf, char *field, int order);
void *__wrap_SrcIP_FP(Eventinfo *lf, char *field, int order)
{
    free(lf->srcip);
    if (extra_rules()) {
        plain_address(field);
    }
    return __real_SrcIP_FP(lf, field, order);
}

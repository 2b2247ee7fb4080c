#include "eventinfo.h"

char *Eventinfo_to_jsonstr(const Eventinfo *lf); /* of an alert; on the heap */

#include "cJSON.h"
#include "eventinfo.h"

void W_ParseJSON(cJSON *root, const Eventinfo *lf);

#include "analysisd.h"
#include "shared.h"

static char last[6144];

int LastMsg_Stats(const char *log) { return strcmp(log, last) == 0; }

void LastMsg_Change(const char *log) { snprintf(last, sizeof(last), "%s", log); }

/* The header of a line, as header.h says, in an engine of several threads: 4.2.0 and later. */
#include "header.h"
#include "literals.h"
#include "rule_lists.h"

int __real_OS_CleanMSG_ex(char *msg, Eventinfo *lf, time_t recv_time, int update_time_globals);

int __wrap_OS_CleanMSG_ex(char *msg, Eventinfo *lf, time_t recv_time, int update_time_globals)
{
    char room[PADDING];
    struct marks marks;
    int result;

    literals_of(NULL); /* the one before may be gone */
    rules_are_for(NULL);
    read_marks(msg, &marks);
    result = __real_OS_CleanMSG_ex(padded(msg, room), lf, recv_time, update_time_globals);
    if (result == 0) {
        mend_header(lf, &marks);
    }
    return result;
}

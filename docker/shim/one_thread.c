/* The header of a line, as header.h says, in an engine of one thread: before 4.2.0. From then on only ossec-logtest
 * comes here. */
#include "header.h"

int __real_OS_CleanMSG(char *msg, Eventinfo *lf);

int __wrap_OS_CleanMSG(char *msg, Eventinfo *lf)
{
    char room[PADDING];
    struct marks marks;
    int result;

    read_marks(msg, &marks);
    result = __real_OS_CleanMSG(padded(msg, room), lf);
    if (result == 0) {
        mend_header(lf, &marks);
    }
    return result;
}

/* The header of a line, as header.h says, in an engine of one thread: before 4.2.0. From then on only ossec-logtest
 * comes here. */
#include "header.h"
#include "literals.h"
#include "print.h"
#include "rule_lists.h"

int __real_OS_CleanMSG(char *msg, Eventinfo *lf);
void __wrap_print_out(const char *format, ...);

static void print_line(const Eventinfo *lf)
{
    __wrap_print_out("**Phase 1: Completed pre-decoding.");
    __wrap_print_out("       full event: '%s'", lf->full_log);
    __wrap_print_out("       hostname: '%s'", lf->hostname);
    __wrap_print_out("       program_name: '%s'", lf->program_name ? lf->program_name : "(null)");
    __wrap_print_out("       log: '%s'", lf->log);
}

int __wrap_OS_CleanMSG(char *msg, Eventinfo *lf)
{
    char room[PADDING];
    struct marks marks;
    int result, printed;

    literals_of(NULL); /* the one before may be gone */
    rules_are_for(NULL);
    read_marks(msg, &marks);
    print_hold();
    result = __real_OS_CleanMSG(padded(msg, room), lf);
    printed = print_release();
    if (result == 0) {
        mend_header(lf, &marks);
        if (printed > 0) {
            print_line(lf);
        }
    }
    return result;
}

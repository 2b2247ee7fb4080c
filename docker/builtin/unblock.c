/* unblock: a builtin of bash. The kernel drops a signal for which PID 1 has no trap, and bash can't run a trap while it reads a
 * file. So ossec-log-server (docker/command) blocks the signals that stop the server, or would, before it runs the script;
 * this lets them in, once everything is read and the traps are set. */
#include <signal.h>

#include "builtins.h"
#include "shell.h"

extern sigset_t top_level_mask; /* bash's own: what it gives to the commands that it starts */

static int unblock_builtin(WORD_LIST *words)
{
    (void)words;
    sigemptyset(&top_level_mask);
    return sigprocmask(SIG_SETMASK, &top_level_mask, NULL) == 0 ? EXECUTION_SUCCESS : EXECUTION_FAILURE;
}

static char *unblock_doc[] = {"Lets all signals in.", NULL};

struct builtin unblock_struct = {"unblock", unblock_builtin, BUILTIN_ENABLED, unblock_doc, "unblock", 0};

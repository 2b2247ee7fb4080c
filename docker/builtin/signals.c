/* signals on|off|now|wait: a builtin of bash that lets signals in, holds them, or takes those that have come and holds again; wait
 * does so after 50 ms or as soon as one comes, as `sleep` would be a process each time.
 *
 * bash 5.2 runs a trap wherever it parses a command next, also where it reads what stands in $(...), and then takes the end of the
 * trap for a missing bracket: "unexpected EOF", and the shell may end with status 2. So the server holds its signals, and lets
 * them in where it waits and at a few places more. It begins so: the kernel drops a signal for which PID 1 has no trap, so
 * ossec-log-server (docker/command) holds them before it runs the script. */
#include <poll.h>
#include <string.h>

#include "held.h"
#include "builtins.h"
#include "shell.h"
#include "common.h"

extern sigset_t top_level_mask; /* bash's own: what it gives to the commands that it starts */
extern void run_pending_traps(void);

static int signals_builtin(WORD_LIST *words)
{
    const char *word = words != NULL && words->next == NULL ? words->word->word : "";
    int on = strcmp(word, "on") == 0, wait = strcmp(word, "wait") == 0, now = wait || strcmp(word, "now") == 0;

    if (!on && !now && strcmp(word, "off") != 0) {
        builtin_usage();
        return EX_USAGE;
    }
    sigemptyset(&top_level_mask);
    if ((on || now) && !held_signals(SIG_UNBLOCK)) {
        return EXECUTION_FAILURE;
    }
    if (wait) {
        poll(NULL, 0, 50);
    }
    if (on || now) {
        run_pending_traps(); /* one that holds them meanwhile leaves them on, as bash may also run it while it waits */
    }
    return on || held_signals(SIG_BLOCK) ? EXECUTION_SUCCESS : EXECUTION_FAILURE;
}

static char *signals_doc[] = {"Lets signals in, holds them, or takes those that have come, or come in 50 ms, and holds again.", NULL};

struct builtin signals_struct = {"signals", signals_builtin, BUILTIN_ENABLED, signals_doc, "signals on|off|now|wait", 0};

/* ossec-log-server: what asks the running server is answered here, as a health check comes every half a minute for ever and a
 * shell costs many times as much. Everything else, the server itself too, is done by the script.
 *
 *   ossec-log-server ready [--daemons] whether the server in this container takes syslog; --daemons: whether intake and engine
 *                                      have started, which the server asks itself
 *   ossec-log-server health [--own]    whether what it takes is analysed and the alerts arrive
 *   ossec-log-server counters [--json|--prometheus]
 *
 * What is wrong is one line on standard error, and an exit status of sysexits.h; of `health` it is 1. */
#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "../builtin/held.h"
#include "command.h"
#include "say.h"
#include "status.h"

#define SCRIPT "/usr/local/lib/ossec-log-server/server"
#define STARTED "/run/ossec/started"

static int ask_ready(const char *option)
{
    if ((option == NULL || strcmp(option, "--daemons") != 0) && access(STARTED, F_OK) != 0) {
        say("the server has not started yet");
        return EX_UNAVAILABLE;
    }
    return ready();
}

static int ask_health(const char *option)
{
    if (option != NULL && *option != '\0' && strcmp(option, "--own") != 0) {
        say("health: '%s' is not an option of it; write --own, or nothing", option);
        return EX_USAGE;
    }
    return health(option != NULL && *option != '\0');
}

static int ask_counters(const char *option)
{
    if (option == NULL || *option == '\0') {
        return counters(COUNTERS_LINES);
    }
    if (strcmp(option, "--json") == 0) {
        return counters(COUNTERS_JSON);
    }
    if (strcmp(option, "--prometheus") == 0) {
        return counters(COUNTERS_PROMETHEUS);
    }
    say("counters: '%s' is not an option of it; write --json, --prometheus, or nothing", option);
    return EX_USAGE;
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "", *option = argc > 2 ? argv[2] : NULL;

    if (strcmp(command, "ready") == 0) {
        return ask_ready(option);
    }
    if (strcmp(command, "health") == 0) {
        return ask_health(option);
    }
    if (strcmp(command, "counters") == 0) {
        return ask_counters(option);
    }
    if (*command == '\0') {
        held_signals(SIG_BLOCK); /* as PID 1 the server would lose what comes before it has traps */
    }
    execv(SCRIPT, argv);
    say("%s cannot be run: %s", SCRIPT, strerror(errno));
    return EX_UNAVAILABLE;
}

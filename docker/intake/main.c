/* ossec-intake: takes syslog in over UDP, TCP, TLS and RELP, and writes it to the journal, which the engine reads.
 *
 *   ossec-intake --journal FOLDER --networks FILE --limit BYTES --udp 514 --tcp 514 ...   runs until SIGTERM
 *   ossec-intake --check ...           the same without running: whether it would start
 *   ossec-intake --check-networks      whether standard input is a list of networks
 *   ossec-intake --probe               whether every input of the running one takes what is sent to it, and the engine it
 *   ossec-intake --ready               whether intake and engine have started
 *   ossec-intake --status              what they count
 *   ossec-intake --header SENDER       lines of standard input as the engine would get them from that sender
 *
 * What is wrong is one line on standard error, and an exit status of sysexits.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "check.h"
#include "filter.h"
#include "intake.h"
#include "networks.h"
#include "options.h"
#include "probe.h"
#include "run.h"
#include "say.h"
#include "status.h"
#include "tls.h"

/* Reads a list of networks into `to`. */
static int read_networks(FILE *file, const struct networks **to)
{
    char problem[512];

    if ((*to = networks_read(file, problem, sizeof(problem))) == NULL) {
        say("%s", problem);
        return EX_CONFIG;
    }
    return 0;
}

static int prepare_networks(const char *name, const struct networks **to)
{
    FILE *file;
    int status;

    if (name == NULL) {
        return 0;
    }
    if ((file = fopen(name, "re")) == NULL) {
        say("%s cannot be read: %s", name, strerror(errno));
        return EX_NOINPUT;
    }
    status = read_networks(file, to);
    fclose(file);
    return status;
}

static int prepare_tls(void)
{
    const char *wrong;

    if (settings.ports[INPUT_TLS] == 0) {
        return 0;
    }
    if ((wrong = tls_prepare(settings.certificate, settings.key, settings.ca)) != NULL) {
        say("%s", wrong);
        return EX_CONFIG;
    }
    tls_warn();
    return 0;
}

int main(int argc, char **argv)
{
    enum mode mode = options_read(argc, argv);
    int wrong;

    switch (mode) {
        case MODE_NETWORKS: return read_networks(stdin, &lists.allowed);
        case MODE_PROBE: return probe();
        case MODE_READY: return ready();
        case MODE_STATUS: return status();
        case MODE_HEADER: return filter_lines(settings.sender);
        default: break;
    }
    if ((wrong = prepare_networks(settings.networks, &lists.allowed)) != 0 ||
        (wrong = prepare_networks(settings.proxies, &lists.proxies)) != 0 ||
        (wrong = prepare_networks(settings.relays, &lists.relays)) != 0 || (wrong = prepare_tls()) != 0) {
        return wrong;
    }
    return mode == MODE_CHECK ? check() : run();
}

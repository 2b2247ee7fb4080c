/* ossec-intake: takes syslog in over UDP, TCP, TLS and RELP, and writes it to the journal, which the engine reads.
 *
 *   ossec-intake --journal FOLDER --networks FILE --limit BYTES --udp 514 --tcp 514 ...   runs until SIGTERM
 *   ossec-intake --check ...           the same without running: whether it would start
 *   ossec-intake --check-networks      whether standard input is a list of networks
 *   ossec-intake --check-peers         whether standard input is a list of permitted peers
 *   ossec-intake --probe               whether every input of the running one takes what is sent to it, and the engine it
 *   ossec-intake --reload              has the running one read its options and files again
 *   ossec-intake --list-senders table  who has sent, and when last
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
#include "peers.h"
#include "prepare.h"
#include "probe.h"
#include "reload.h"
#include "run.h"
#include "say.h"
#include "senders.h"
#include "status.h"

static int complain(int status, const char *problem)
{
    say("%s", problem);
    return status;
}

static int check_networks(void)
{
    char problem[512];
    struct networks *networks = networks_read(stdin, problem, sizeof(problem));

    networks_free(networks);
    return networks != NULL ? 0 : complain(EX_CONFIG, problem);
}

static int check_peers(void)
{
    char problem[512];
    struct peers *peers = peers_read(stdin, problem, sizeof(problem));

    peers_free(peers);
    return peers != NULL ? 0 : complain(EX_CONFIG, problem);
}

int main(int argc, char **argv)
{
    enum mode mode = options_read(argc, argv);
    int wrong;

    switch (mode) {
        case MODE_NETWORKS: return check_networks();
        case MODE_PEERS: return check_peers();
        case MODE_PROBE: return probe();
        case MODE_STATUS: return status();
        case MODE_RELOAD: return reload_running();
        case MODE_SENDERS: return senders_print(settings.form);
        case MODE_HEADER: return filter_lines(settings.sender);
        default: break;
    }
    if ((wrong = prepare()) != 0) {
        return wrong;
    }
    return mode == MODE_CHECK ? check() : run();
}

#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "intake.h"
#include "say.h"

static const char usage[] =
    "usage: ossec-intake [--check | --probe] --journal FOLDER --networks FILE --limit BYTES [--udp PORT] [--tcp PORT]\n"
    "           [--tls PORT --certificate FILE --key FILE [--ca FILE]] [--relp PORT]\n"
    "           [--proxies FILE] [--relays FILE] [--max-connections NUMBER] [--max-per-source NUMBER]\n"
    "       ossec-intake --check-networks   the networks come on standard input, one a line\n"
    "       ossec-intake --header SENDER    the lines come on standard input\n"
    "       ossec-intake --ready | --status\n";

enum name { JOURNAL = 1, NETWORKS, LIMIT, UDP, TCP, TLS, RELP, CERTIFICATE, KEY, CA, CONNECTIONS, PER_SOURCE, PROXIES, RELAYS, CHECK,
              CHECK_NETWORKS, PROBE, READY, STATUS, HEADER };

static const struct option options[] = {
    {"journal", required_argument, NULL, JOURNAL},
    {"networks", required_argument, NULL, NETWORKS},
    {"limit", required_argument, NULL, LIMIT},
    {"udp", required_argument, NULL, UDP},
    {"tcp", required_argument, NULL, TCP},
    {"tls", required_argument, NULL, TLS},
    {"relp", required_argument, NULL, RELP},
    {"certificate", required_argument, NULL, CERTIFICATE},
    {"key", required_argument, NULL, KEY},
    {"ca", required_argument, NULL, CA},
    {"max-connections", required_argument, NULL, CONNECTIONS},
    {"max-per-source", required_argument, NULL, PER_SOURCE},
    {"proxies", required_argument, NULL, PROXIES},
    {"relays", required_argument, NULL, RELAYS},
    {"check", no_argument, NULL, CHECK},
    {"check-networks", no_argument, NULL, CHECK_NETWORKS},
    {"probe", no_argument, NULL, PROBE},
    {"ready", no_argument, NULL, READY},
    {"status", no_argument, NULL, STATUS},
    {"header", required_argument, NULL, HEADER},
    {NULL, 0, NULL, 0},
};

static void misused(void)
{
    fputs(usage, stderr);
    exit(EX_USAGE);
}

static uint64_t number(uint64_t least, uint64_t most)
{
    char *end;
    unsigned long long value;

    errno = 0;
    value = strtoull(optarg, &end, 10);
    if (errno != 0 || end == optarg || *end != '\0' || optarg[0] == '-' || value < least || value > most) {
        say("ossec-intake: '%s' is not between %llu and %llu", optarg, (unsigned long long)least, (unsigned long long)most);
        exit(EX_USAGE);
    }
    return value;
}

static unsigned port(void) { return (unsigned)number(1, 65535); }

static enum mode take(int name, enum mode mode)
{
    switch (name) {
        case JOURNAL: settings.journal = optarg; break;
        case NETWORKS: settings.networks = optarg; break;
        case LIMIT: settings.limit = number(1, UINT64_MAX); break;
        case UDP: settings.ports[INPUT_UDP] = port(); break;
        case TCP: settings.ports[INPUT_TCP] = port(); break;
        case TLS: settings.ports[INPUT_TLS] = port(); break;
        case RELP: settings.ports[INPUT_RELP] = port(); break;
        case CERTIFICATE: settings.certificate = optarg; break;
        case KEY: settings.key = optarg; break;
        case CA: settings.ca = optarg; break;
        case CONNECTIONS: settings.connections = number(1, 1000000); break;
        case PER_SOURCE: settings.per_source = number(1, 1000000); break;
        case PROXIES: settings.proxies = optarg; break;
        case RELAYS: settings.relays = optarg; break;
        case CHECK: return MODE_CHECK;
        case CHECK_NETWORKS: return MODE_NETWORKS;
        case PROBE: return MODE_PROBE;
        case READY: return MODE_READY;
        case STATUS: return MODE_STATUS;
        case HEADER: settings.sender = optarg; return MODE_HEADER;
        default: misused();
    }
    return mode;
}

enum mode options_read(int argc, char **argv)
{
    enum mode mode = MODE_RUN;
    int name;

    settings.connections = 4096;
    settings.per_source = 1024;
    while ((name = getopt_long(argc, argv, "", options, NULL)) != -1) {
        mode = take(name, mode);
    }
    if (optind != argc ||
        ((mode == MODE_RUN || mode == MODE_CHECK) && settings.networks == NULL) ||
        (mode == MODE_RUN && (settings.journal == NULL || settings.limit == 0)) ||
        (settings.ports[INPUT_TLS] != 0 && mode != MODE_PROBE && (settings.certificate == NULL || settings.key == NULL))) {
        misused();
    }
    return mode;
}

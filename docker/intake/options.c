#define _GNU_SOURCE
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "intake.h"
#include "say.h"

static const char usage[] =
    "usage: ossec-intake [--check | --probe] --journal FOLDER --networks FILE --limit BYTES [--udp PORT] [--tcp PORT]\n"
    "           [--tls PORT] [--relp PORT [--relp-tls]] [--max-connections NUMBER] [--max-per-source NUMBER]\n"
    "           [--proxies FILE] [--relays FILE]\n"
    "           [--certificate FILE --key FILE [--ca FILE [--peers FILE]] [--ciphers LIST] [--tls-1.3]]\n"
    "           [--senders FILE] [--silent SECONDS]\n"
    "       ossec-intake --check-networks   the networks come on standard input, one a line\n"
    "       ossec-intake --check-peers      the names of OSSEC_TLS_PEERS, the same way\n"
    "       ossec-intake --header SENDER    the lines come on standard input\n"
    "       ossec-intake --list-senders table | json | prometheus\n"
    "           [--options FILE]   a file with options of the lines above, a word a line\n"
    "       ossec-intake --status | --reload\n";

enum name { OPTIONS = 1, JOURNAL, NETWORKS, LIMIT, UDP, TCP, TLS, RELP, RELP_TLS, CERTIFICATE, KEY, CA, PEERS, CIPHERS, TLS_1_3,
              CONNECTIONS, PER_SOURCE, PROXIES, RELAYS, CHECK, CHECK_NETWORKS, CHECK_PEERS, PROBE, RELOAD, STATUS,
              HEADER, SENDERS, SILENT_AFTER, LIST_SENDERS };

static const struct option options[] = {
    {"options", required_argument, NULL, OPTIONS},
    {"journal", required_argument, NULL, JOURNAL},
    {"networks", required_argument, NULL, NETWORKS},
    {"limit", required_argument, NULL, LIMIT},
    {"udp", required_argument, NULL, UDP},
    {"tcp", required_argument, NULL, TCP},
    {"tls", required_argument, NULL, TLS},
    {"relp", required_argument, NULL, RELP},
    {"relp-tls", no_argument, NULL, RELP_TLS},
    {"certificate", required_argument, NULL, CERTIFICATE},
    {"key", required_argument, NULL, KEY},
    {"ca", required_argument, NULL, CA},
    {"peers", required_argument, NULL, PEERS},
    {"ciphers", required_argument, NULL, CIPHERS},
    {"tls-1.3", no_argument, NULL, TLS_1_3},
    {"max-connections", required_argument, NULL, CONNECTIONS},
    {"max-per-source", required_argument, NULL, PER_SOURCE},
    {"proxies", required_argument, NULL, PROXIES},
    {"relays", required_argument, NULL, RELAYS},
    {"check", no_argument, NULL, CHECK},
    {"check-networks", no_argument, NULL, CHECK_NETWORKS},
    {"check-peers", no_argument, NULL, CHECK_PEERS},
    {"probe", no_argument, NULL, PROBE},
    {"reload", no_argument, NULL, RELOAD},
    {"status", no_argument, NULL, STATUS},
    {"header", required_argument, NULL, HEADER},
    {"senders", required_argument, NULL, SENDERS},
    {"silent", required_argument, NULL, SILENT_AFTER},
    {"list-senders", required_argument, NULL, LIST_SENDERS},
    {NULL, 0, NULL, 0},
};

static int saved_argc;
static char **saved_argv;
static struct settings before;           /* those that hold while others are read */
static char *text_in_force, *text_before; /* of the file of options, into which the settings point */
static int wrong;

static uint64_t number(uint64_t least, uint64_t most)
{
    char *end;
    unsigned long long value;

    errno = 0;
    value = strtoull(optarg, &end, 10);
    if (errno != 0 || end == optarg || *end != '\0' || optarg[0] == '-' || value < least || value > most) {
        say("ossec-intake: '%s' is not between %llu and %llu", optarg, (unsigned long long)least, (unsigned long long)most);
        wrong = 1;
    }
    return value;
}

static unsigned port(void) { return (unsigned)number(1, 65535); }

static enum mode take(int name, enum mode mode)
{
    switch (name) {
        case OPTIONS: settings.options = optarg; break;
        case JOURNAL: settings.journal = optarg; break;
        case NETWORKS: settings.networks = optarg; break;
        case LIMIT: settings.limit = number(1, UINT64_MAX); break;
        case UDP: settings.ports[INPUT_UDP] = port(); break;
        case TCP: settings.ports[INPUT_TCP] = port(); break;
        case TLS: settings.ports[INPUT_TLS] = port(); break;
        case RELP: settings.ports[INPUT_RELP] = port(); break;
        case RELP_TLS: settings.relp_tls = 1; break;
        case CERTIFICATE: settings.certificate = optarg; break;
        case KEY: settings.key = optarg; break;
        case CA: settings.ca = optarg; break;
        case PEERS: settings.peers = optarg; break;
        case CIPHERS: settings.ciphers = optarg; break;
        case TLS_1_3: settings.tls_1_3 = 1; break;
        case CONNECTIONS: settings.connections = number(1, 1000000); break;
        case PER_SOURCE: settings.per_source = number(1, 1000000); break;
        case PROXIES: settings.proxies = optarg; break;
        case RELAYS: settings.relays = optarg; break;
        case CHECK: return MODE_CHECK;
        case CHECK_NETWORKS: return MODE_NETWORKS;
        case CHECK_PEERS: return MODE_PEERS;
        case PROBE: return MODE_PROBE;
        case RELOAD: return MODE_RELOAD;
        case STATUS: return MODE_STATUS;
        case SENDERS: settings.senders = optarg; break;
        case SILENT_AFTER: settings.silent = number(0, UINT32_MAX); break;
        case LIST_SENDERS: settings.form = optarg; return MODE_SENDERS;
        case HEADER: settings.sender = optarg; return MODE_HEADER;
        default: wrong = 1;
    }
    return mode;
}

static enum mode take_all(int argc, char **argv, enum mode mode)
{
    int name;

    optind = 0; /* from the beginning */
    while ((name = getopt_long(argc, argv, "", options, NULL)) != -1) {
        mode = take(name, mode);
    }
    wrong |= optind != argc;
    return mode;
}

/* A word a line: an option's name, and on the next line its value. */
static enum mode take_file(enum mode mode)
{
    FILE *file = fopen(settings.options, "re");
    char **words = NULL, *rest, *word;
    size_t room = 0;
    int count = 1;

    text_in_force = NULL;
    if (file == NULL || getdelim(&text_in_force, &room, '\0', file) < 0 ||
        (words = calloc(strlen(text_in_force) + 3, sizeof(*words))) == NULL) {
        say("%s cannot be read: %s", settings.options, strerror(errno));
        wrong = 1;
    } else {
        words[0] = saved_argv[0];
        for (rest = text_in_force; (word = strsep(&rest, "\n")) != NULL;) {
            words[count] = word;
            count += word[0] != '\0';
        }
        words[count] = NULL;
        mode = take_all(count, words, mode);
    }
    if (file != NULL) {
        fclose(file);
    }
    free(words);
    return mode;
}

static enum mode read_all(void)
{
    enum mode mode;

    settings = (struct settings){.connections = 4096, .per_source = 1024};
    wrong = 0;
    mode = take_all(saved_argc, saved_argv, MODE_RUN);
    if (settings.options != NULL && !wrong) {
        mode = take_file(mode);
    }
    wrong |= ((mode == MODE_RUN || mode == MODE_CHECK) && settings.networks == NULL) ||
             (mode == MODE_RUN && (settings.journal == NULL || settings.limit == 0)) ||
             ((uses_tls(INPUT_TLS) || uses_tls(INPUT_RELP)) && mode != MODE_PROBE &&
              (settings.certificate == NULL || settings.key == NULL));
    return mode;
}

enum mode options_read(int argc, char **argv)
{
    enum mode mode;

    saved_argc = argc;
    saved_argv = argv;
    mode = read_all();
    if (wrong) {
        fputs(usage, stderr);
        exit(EX_USAGE);
    }
    return mode;
}

int options_again(void)
{
    before = settings;
    text_before = text_in_force;
    read_all();
    if (wrong) {
        options_undo();
        return -1;
    }
    return 0;
}

void options_keep(void)
{
    free(text_before);
    text_before = NULL;
}

void options_undo(void)
{
    free(text_in_force);
    text_in_force = text_before;
    text_before = NULL;
    settings = before;
}

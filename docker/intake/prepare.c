#include "prepare.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "intake.h"
#include "networks.h"
#include "say.h"
#include "tls.h"

/* Reads a list into `to`, which stays NULL where no file is named. */
static int read_networks(const char *name, struct networks **to)
{
    char problem[512];
    FILE *file;

    if (name == NULL) {
        return 0;
    }
    if ((file = fopen(name, "re")) == NULL) {
        say("%s cannot be read: %s", name, strerror(errno));
        return EX_NOINPUT;
    }
    *to = networks_read(file, problem, sizeof(problem));
    fclose(file);
    if (*to == NULL) {
        say("%s", problem);
        return EX_CONFIG;
    }
    return 0;
}

static int prepare_tls(void)
{
    const char *wrong = uses_tls(INPUT_TLS) || uses_tls(INPUT_RELP) ? tls_prepare() : NULL;

    if (wrong != NULL) {
        say("%s", wrong);
        return EX_CONFIG;
    }
    return 0;
}

int prepare(void)
{
    struct lists made = {NULL, NULL, NULL};
    int status;

    if ((status = read_networks(settings.networks, &made.allowed)) != 0 ||
        (status = read_networks(settings.proxies, &made.proxies)) != 0 ||
        (status = read_networks(settings.relays, &made.relays)) != 0 || (status = prepare_tls()) != 0) {
        networks_free(made.allowed);
        networks_free(made.proxies);
        networks_free(made.relays);
        return status;
    }
    sources_take(&made);
    tls_warn();
    return 0;
}

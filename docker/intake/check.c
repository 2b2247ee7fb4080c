#include "check.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "intake.h"
#include "listen.h"
#include "say.h"

int check(void)
{
    const struct state *running = state_map(); /* `check` may be run in the server's container */
    char problem[512];

    for (int input = 0; input < INPUTS; input++) {
        int fd;

        if (settings.ports[input] == 0 || (running != NULL && running->ports[input] == settings.ports[input])) {
            continue;
        }
        fd = listen_open(input == INPUT_UDP ? SOCK_DGRAM : SOCK_STREAM, settings.ports[input], problem, sizeof(problem));
        if (fd < 0) {
            say("%s", problem);
            return EX_CANTCREAT;
        }
        close(fd);
    }
    return 0;
}

/* Tells the engine that the server has started, and then only has to be there. */
#include <sys/socket.h>
#include <sys/un.h>

#include "shared.h"

int main(int argc, char **argv)
{
    static const char started[] = "1:ossec-monitord:ossec: Ossec started.";
    struct sockaddr_un engine = {.sun_family = AF_UNIX, .sun_path = ENGINE_SOCKET};
    int checking = only_check(argc, argv, "ossec-monitord"), queue;

    xml_read(CONFIGURATION, NULL);
    if (checking) {
        return 0;
    }
    drop_root("ossec");
    say("INFO", "Started (pid: %d).", (int)getpid());
    sleep(10); /* as OSSEC's, so that its alert comes when it comes there */
    queue = socket(AF_UNIX, SOCK_DGRAM, 0);
    while (connect(queue, (struct sockaddr *)&engine, sizeof(engine)) != 0 ||
           send(queue, started, sizeof(started) - 1, 0) < 0) {
        sleep(1);
    }
    for (;;) {
        sleep(120);
    }
}

#include <sys/socket.h>

#include "shared.h"

int OS_RecvUnix(int socket, int size, char *message)
{
    ssize_t length = recv(socket, message, (size_t)size - 1, 0);

    if (length < 0) {
        return 0;
    }
    message[length] = '\0';
    return (int)length;
}

/* Connections of trusted balancers, until their PROXY header has come and says whose they are. */
#ifndef GREETINGS_H
#define GREETINGS_H

#include "intake.h"

/* Waits for the header on an accepted socket. `then` gets the socket, with the stream behind the header, and the sender.
 * 0 when there is no memory: then the socket is closed. */
int greeting_begin(int fd, enum input input, const struct source *balancer,
                   void (*then)(int fd, enum input input, const struct source *source));

size_t greetings_open(void);

/* Once a second: closes those whose header does not come. */
void greetings_tend(void);

/* Takes those whose header has come. */
void greetings_look(void);

/* Closes all of them. */
void greetings_end(void);

#endif

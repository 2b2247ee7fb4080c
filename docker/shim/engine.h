/* Where the engine's lines come from and when they are done; see engine.c. */
#ifndef SHIM_ENGINE_H
#define SHIM_ENGINE_H

/* The next message, from the journal or, from ossec-monitord, from the engine's socket; waits for it. Its length. When it
 * is called, all messages before are analysed. Ends the process when it was asked to end and nothing waits. */
int shim_next_message(int socket, int size, char *message);

#endif

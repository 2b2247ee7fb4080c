#ifndef PREPARE_H
#define PREPARE_H

/* Reads the files that the settings name: who may send, certificates, permitted peers. An exit status, 0 when all of them
 * are right; where one is not, it has said so, and those read before stay in force. */
int prepare(void);

#endif

#ifndef RELOAD_H
#define RELOAD_H

/* In the running intake: reads its options and files again, and has them hold from now on. Open connections stay, but for
 * those whose sender may no longer send. What is wrong changes nothing and is said in one line. */
void reload(void);

/* From outside: asks the running one for it, and waits until it is done. An exit status. */
int reload_running(void);

#endif

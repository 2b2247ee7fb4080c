#ifndef CHECK_H
#define CHECK_H

/* Whether every port can be opened; those that the running intake has are right. The exit status. */
int check(void);

#endif

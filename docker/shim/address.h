/* One spelling of an address. */
#ifndef ADDRESS_H
#define ADDRESS_H

/* Takes brackets, the prefix of a mapped IPv4 address, a port and punctuation behind it away, in place. What is no
 * address without them stays as it is. */
void plain_address(char *text);


/* Whether there is what may be an address. Most lines have none, and then no family finds a source in them. */
int has_address(const char *text);

#endif

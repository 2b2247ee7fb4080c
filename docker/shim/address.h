/* One spelling of an address. */
#ifndef ADDRESS_H
#define ADDRESS_H

/* Takes brackets, the prefix of a mapped IPv4 address, a port and punctuation behind it away, in place. What is no
 * address without them stays as it is. */
void plain_address(char *text);

#endif

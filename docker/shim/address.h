/* One spelling of an address. */
#ifndef ADDRESS_H
#define ADDRESS_H

/* Takes brackets, the prefix of a mapped IPv4 address, a port and punctuation behind it away, in place. What is no
 * address without them stays as it is. */
void plain_address(char *text);

/* What may be an address, as (?&ip) takes it (regex.c): most lines have none, and then no family finds a source in them. */
enum addresses { ADDRESS_NONE, ADDRESS_IPV4, ADDRESS_SOME };
enum addresses addresses_in(const char *text);

#endif

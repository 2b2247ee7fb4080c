/* Syslog over UDP: each datagram is one message (RFC 5426). */
#ifndef UDP_H
#define UDP_H

/* Receives from a socket of listen_open's. 0, or -1 with errno. */
int udp_receive(int fd);

/* Whether its buffer fills so fast that it should be emptied at once. */
int udp_fills(void);

/* Counts what the kernel dropped, to be called now and then. */
void udp_count_lost(void);

/* Takes what has come, and closes the socket. */
void udp_end(void);

#endif

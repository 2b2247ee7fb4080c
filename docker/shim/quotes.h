#ifndef SHIM_QUOTES_H
#define SHIM_QUOTES_H

/* Whether the address stands in a client's own words alone, which an application has put in quotes, while another one stands
 * outside of these. */
int stands_in_quotes_alone(const char *line, const char *address);

#endif

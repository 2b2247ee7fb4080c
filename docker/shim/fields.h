/* The fields that a decoder gives names of its own, of which there may be 256. */
#ifndef SHIM_FIELDS_H
#define SHIM_FIELDS_H

/* Of the line before. */
void forget_own_fields(void);

/* Whether any has been found since. */
int has_own_fields(void);

#endif

/* The engine's files: what was written to them reaches them batch by batch, and what they hold after an unclean end. */
#ifndef SHIM_LOGS_H
#define SHIM_LOGS_H

#include "done.h"

/* Makes what a kill or a power failure left of the files whole again, and says whether they hold all that `fast` stands
 * for. What is before the sizes in `synced` is known to be right. Either may be NULL. */
int logs_mend(const struct done *synced, const struct done *fast);

/* From now on, writing to the files waits for logs_flush. */
void logs_defer(void);

/* Hands what was written to the kernel, alerts before the archive, and notes the files and their sizes. Ends the
 * process where that fails: the lines are given again after the restart. */
void logs_flush(struct done *done);

/* Descriptors of the files, to be synced and closed by the caller; -1 for none. */
void logs_descriptors(int descriptors[DONE_FILES]);

#endif

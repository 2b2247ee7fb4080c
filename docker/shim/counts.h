#ifndef SHIM_COUNTS_H
#define SHIM_COUNTS_H

/* Alerts that this process has written. */
extern unsigned long shim_alerts;

#endif

/* What an engine of one thread has done since it started. Nothing counts in one of several. */
#ifndef SHIM_STATE_H
#define SHIM_STATE_H

extern unsigned long shim_events, shim_alerts;

#endif

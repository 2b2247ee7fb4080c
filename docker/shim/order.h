/* How many fields of their own the engine's events have room for. */
#ifndef SHIM_ORDER_H
#define SHIM_ORDER_H

/* As many as the decoders and rules that are loaded can use. To be called before the first event. */
void order_fit(void);

#endif

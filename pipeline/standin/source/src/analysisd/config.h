/* What the engine's options say. */
#ifndef STANDIN_CONFIG_H
#define STANDIN_CONFIG_H

typedef struct _Config {
    unsigned decoder_order_size; /* how many fields of its own a decoder may have */
} _Config;
extern _Config Config;

#endif

/* What the engine's options say. */
#pragma once

typedef struct _Config {
    unsigned decoder_order_size; /* how many fields of its own a decoder may have */
} _Config;
extern _Config Config;

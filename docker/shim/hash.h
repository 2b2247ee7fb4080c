#ifndef SHIM_HASH_H
#define SHIM_HASH_H

/* FNV-1a, of a name. */
static inline unsigned hash_of(const char *name)
{
    unsigned hash = 2166136261u;

    for (; *name != '\0'; name++) {
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    }
    return hash;
}

#endif

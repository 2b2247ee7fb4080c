/* Not cJSON, but a writer under the one name of cJSON that the image's shim uses. */
#include <stdio.h>

typedef struct cJSON {
    FILE *out; /* inside an object that has at least one member already */
} cJSON;

void cJSON_AddStringToObject(cJSON *object, const char *name, const char *value); /* nothing for NULL or "" */

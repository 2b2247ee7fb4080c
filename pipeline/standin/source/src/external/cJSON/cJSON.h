/* What of cJSON the engine's writers call: the image's shim has all of it, so there is nothing behind these names here. */
typedef struct cJSON cJSON;
typedef int cJSON_bool;

cJSON *cJSON_CreateObject(void);
cJSON *cJSON_CreateArray(void);
cJSON *cJSON_CreateString(const char *text);
cJSON_bool cJSON_AddItemToArray(cJSON *array, cJSON *item);
cJSON_bool cJSON_AddItemToObject(cJSON *object, const char *name, cJSON *item);
cJSON *cJSON_AddStringToObject(cJSON *object, const char *name, const char *text);
cJSON *cJSON_AddNumberToObject(cJSON *object, const char *name, double number);
cJSON *cJSON_GetObjectItem(const cJSON *object, const char *name);
char *cJSON_PrintUnformatted(const cJSON *item);
void cJSON_Delete(cJSON *item);

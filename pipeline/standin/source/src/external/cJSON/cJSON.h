/* Not cJSON, but a small tree under the names of cJSON's functions that the image's shim knows. */
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
char *cJSON_PrintUnformatted(const cJSON *item); /* on the heap */
void cJSON_Delete(cJSON *item);

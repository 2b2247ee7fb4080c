/* The elements of a file that have only text. The image has looked before whether the file is well-formed. */
#include "shared.h"

/* In a text OSSEC writes "<" as "\<". */
static char *end_of_text(char *text)
{
    char *tag = text;

    while ((tag = strchr(tag, '<')) != NULL && tag > text && tag[-1] == '\\') {
        tag++;
    }
    return tag;
}

void xml_read(const char *path, xml_handler *take)
{
    FILE *file = fopen(path, "r");
    char *all = NULL, *tag, *text, *end;
    size_t space = 0;

    if (file == NULL || getdelim(&all, &space, '\0', file) < 0) {
        fail("%s cannot be read: %s", path, strerror(errno));
    }
    fclose(file);
    for (tag = all; take != NULL && (tag = strchr(tag, '<')) != NULL; tag = text) {
        text = strstr(tag, strncmp(tag, "<!--", 4) == 0 ? "-->" : ">");
        if (text == NULL) {
            break;
        }
        *text++ = '\0';
        end = end_of_text(text);
        if (tag[1] != '/' && end != NULL && end[1] == '/') {
            *end = '\0';
            take(tag + 1, text);
            text = end + 1;
        }
    }
    free(all);
}

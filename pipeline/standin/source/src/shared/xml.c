/* Elements and comments, and more than one root, as OSSEC's files have them. No entities: nothing needs them here. */
#include "shared.h"

#define DEPTH 16

/* In a text OSSEC writes "<" as "\<". */
static char *next_tag(char *from)
{
    char *tag = from;

    while ((tag = strchr(tag, '<')) != NULL && tag > from && tag[-1] == '\\') {
        tag++;
    }
    return tag;
}

void xml_read(const char *path, xml_handler *take)
{
    FILE *file;
    char *all = NULL, *here, *tag, *text = NULL;
    const char *open[DEPTH];
    size_t space = 0;
    int depth = 0, elements = 0;

    errno = 0;
    file = fopen(path, "r");
    if (file == NULL || getdelim(&all, &space, '\0', file) < 0) {
        fail("%s cannot be read: %s", path, errno != 0 ? strerror(errno) : "it is empty");
    }
    fclose(file);
    for (here = all; (tag = next_tag(here)) != NULL;) {
        int comment = strncmp(tag, "<!--", 4) == 0;
        char *end = strstr(tag, comment ? "-->" : ">");

        if (end == NULL) {
            fail("%s: a %s has no end: %.30s", path, comment ? "comment" : "tag", tag);
        }
        here = end + (comment ? 3 : 1);
        if (comment) {
            continue;
        }
        *tag++ = *end = '\0';
        if (*tag != '/') {
            int alone = end[-1] == '/';
            tag[strcspn(tag, " \t\r\n/")] = '\0';
            if (*tag == '\0' || depth == DEPTH) {
                fail("%s: a tag has no name, or lies too deep", path);
            }
            open[depth] = tag;
            depth += !alone;
            elements++;
            text = alone ? NULL : here;
        } else if (depth == 0 || strcmp(open[--depth], tag + 1) != 0) {
            fail("%s: <%s> closes an element that is not open", path, tag);
        } else {
            if (text != NULL && take != NULL) {
                take(tag + 1, text);
            }
            text = NULL;
        }
    }
    if (depth > 0 || elements == 0) {
        fail("%s: %s%s", path, depth > 0 ? "never closed: " : "no element in it", depth > 0 ? open[depth - 1] : "");
    }
    free(all);
}

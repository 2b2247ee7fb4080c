/* ossec-intake --header SENDER: what `ossec-log-server logtest` hands to the engine's rule tester. */
#include "filter.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "header.h"

#define ENGINE_LIMIT 6143 /* bytes that the engine reads of a line */

int filter_lines(const char *sender)
{
    char *line = NULL, message[ENGINE_LIMIT];
    size_t size = 0;
    ssize_t length;
    int cut;

    while ((length = getline(&line, &size, stdin)) > 0) {
        fwrite(message, 1, header_to_engine(line, (size_t)length, sender, message, sizeof(message), &cut), stdout);
        putchar('\n');
        fflush(stdout);
    }
    free(line);
    return ferror(stdin) ? EX_IOERR : fflush(stdout) != 0 || ferror(stdout) ? EX_IOERR : 0;
}

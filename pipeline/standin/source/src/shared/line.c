/* What comes in is text. */
#include "shared.h"

void remove_control_characters(char *text)
{
    char *to = text;

    for (const char *from = text; *from != '\0'; from++) {
        if ((unsigned char)*from >= ' ' && *from != 0x7f) {
            *to++ = *from;
        }
    }
    *to = '\0';
}

/* Since 3.8.0 the engine takes all control characters out of a line, and with the tab what parts the fields of some
 * senders' lines, and what upstream's own decoder for Snare looks for. Here the tab stays. */
#include "../intake/text.h"

void __wrap_remove_control_characters(char *text)
{
    struct text all = {text, text + strlen(text)};
    char *to = text + (end_of_plain(all) - text);

    for (const char *from = to; from < all.to; from++) {
        if (is_plain((unsigned char)*from)) {
            *to++ = *from;
        }
    }
    *to = '\0';
}

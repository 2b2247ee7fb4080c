/* Since 3.8.0 the engine takes all control characters out of a line, and with the tab what parts the fields of some
 * senders' lines, and what upstream's own decoder for Snare looks for. Here the tab stays. */
void __wrap_remove_control_characters(char *text)
{
    char *to = text;

    for (const char *from = text; *from != '\0'; from++) {
        if (*from == '\t' || ((unsigned char)*from >= ' ' && *from != 0x7f)) {
            *to++ = *from;
        }
    }
    *to = '\0';
}

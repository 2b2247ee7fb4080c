/* The JSON writer copies a line's bytes as they came, and cuts texts without looking where a character ends, so that an
 * alert may hold bytes that are no UTF-8 and a strict reader refuses it. Each of them becomes U+FFFD. */
#include <stdlib.h>
#include <string.h>

#include "shared.h"
#include "eventinfo.h"

/* The bytes of the character that begins there, by table 3-7 of the Unicode standard; 0 if none does. */
static size_t character(const unsigned char *text)
{
    size_t length = text[0] < 0x80 ? 1 : text[0] < 0xc2 ? 0 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : text[0] < 0xf5 ? 4 : 0;
    unsigned char least = text[0] == 0xe0 ? 0xa0 : text[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char most = text[0] == 0xed ? 0x9f : text[0] == 0xf4 ? 0x8f : 0xbf;

    for (size_t i = 1; i < length; i++) {
        if (text[i] < (i == 1 ? least : 0x80) || text[i] > (i == 1 ? most : 0xbf)) {
            return 0;
        }
    }
    return length;
}

char *__real_Eventinfo_to_jsonstr(const Eventinfo *lf);

char *__wrap_Eventinfo_to_jsonstr(const Eventinfo *lf)
{
    char *stock = __real_Eventinfo_to_jsonstr(lf);
    char *mended = stock ? malloc(3 * strlen(stock) + 1) : NULL; /* U+FFFD has three bytes */
    char *to = mended;

    if (mended == NULL) {
        return stock;
    }
    for (const char *from = stock; *from != '\0';) {
        size_t length = character((const unsigned char *)from);

        to = mempcpy(to, length ? from : "\xef\xbf\xbd", length ? length : 3);
        from += length ? length : 1;
    }
    *to = '\0';
    free(stock);
    return mended;
}

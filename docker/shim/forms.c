#include "forms.h"

#include "literals.h"

#define MOST 64 /* patterns */

static struct {
    const void *codes[FORMS];
    struct literal denied;
} all[MOST];
static uint8_t count = 1;

uint8_t forms_learn(const void *const codes[FORMS], const char *denied)
{
    if (count == MOST) {
        return 0;
    }
    for (int form = 1; form < FORMS; form++) {
        all[count].codes[form] = codes[form];
    }
    if (denied != NULL) {
        all[count].denied = literals_read(denied);
    }
    return count++;
}

const void *form_for_line(uint8_t number, const void *code, const char *line)
{
    int one_address = literals_addresses(line) == ADDRESS_IPV4 ? ONE_ADDRESS : 0;
    int not_denied = literals_fit(&all[number].denied) ? 0 : NOT_DENIED;
    const void *form = all[number].codes[one_address | not_denied];

    return form != NULL ? form : code;
}

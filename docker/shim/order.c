/* An event has room for as many fields with names of their own as the option decoder_order_size says, 256: 2 KiB, which are
 * cleared for each line, looked through when it is printed and twice more when it is freed, and kept for as long as rules
 * look back. The decoders and rules of OSSEC and ours need some ten of them. */
#include "shared.h"
#include "eventinfo.h"
#include "config.h"
#include "decoder.h"
#include "rules.h"
#include "groups.h"
#include "order.h"

static int needed; /* so far */

static void need(int count)
{
    if (count > needed) {
        needed = count;
    }
}

static void look_at_decoders(const OSDecoderNode *node)
{
    for (; node != NULL; node = node->next) {
        const OSDecoderInfo *decoder = node->osdecoder;

        for (int i = 0; i < (int)Config.decoder_order_size && decoder->order != NULL; i++) {
            if (decoder->order[i] != NULL) {
                need(i + 1);
            }
        }
        look_at_decoders(node->child);
    }
}

static void look_at_rules(const RuleNode *node)
{
    for (; node != NULL; node = node->next) {
        int count = 0;

        while (count < (int)Config.decoder_order_size && node->ruleinfo->fields != NULL && node->ruleinfo->fields[count] != NULL) {
            count++;
        }
        need(count);
        look_at_rules(node->child);
    }
}

void order_fit(void)
{
    need(1);
    need((int)regex_most_groups()); /* a pattern with more groups than that would end the engine */
    look_at_decoders(OS_GetFirstOSDecoder(""));
    look_at_decoders(OS_GetFirstOSDecoder(NULL));
    look_at_rules(OS_GetFirstRule());
    if (needed < (int)Config.decoder_order_size) {
        Config.decoder_order_size = needed;
    }
}

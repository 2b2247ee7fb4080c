#define _GNU_SOURCE /* mempcpy */
#include "word_lists.h"

#include <stdlib.h>
#include <string.h>

#include "words.h"

#define CHUNK 16384 /* places of words, of which OSSEC and our rules have some 25000 */

/* Room for so many places, behind those of the patterns before, as they are looked at one after the other; NULL without memory. */
static uint16_t *room(size_t count)
{
    static uint16_t *next;
    static size_t left;

    if (count > left) {
        left = count > CHUNK ? count : CHUNK;
        if ((next = malloc(left * sizeof(*next))) == NULL) {
            left = 0;
            return NULL;
        }
    }
    left -= count;
    next += count;
    return next - count;
}

/* Whether no word before it begins at the same place. */
static int is_first(const struct words *words, unsigned word)
{
    unsigned n = 0;

    while (words->places[n][0] != words->places[word][0]) {
        n++;
    }
    return n == word;
}

static unsigned count_firsts(const struct words *words)
{
    unsigned count = 0;

    for (unsigned n = 0; n < words->count; n++) {
        count += is_first(words, n);
    }
    return count;
}

static size_t size_of(const struct words *words) { return 2 * (count_firsts(words) + 1) + words->count * (WORD_PLACES - 1); }

/* Gives where it ends. */
static uint16_t *put(uint16_t *set, const struct words *words)
{
    unsigned count = count_firsts(words), place = 0;
    uint16_t *begins = set + count + 1, *to = begins + count + 1;

    for (unsigned first = 0; first < words->count; first++) {
        if (!is_first(words, first)) {
            continue;
        }
        set[place] = words->places[first][0];
        begins[place++] = (uint16_t)(to - set);
        for (unsigned n = first; n < words->count; n++) {
            if (words->places[n][0] == words->places[first][0]) {
                to = mempcpy(to, &words->places[n][1], (WORD_PLACES - 1) * sizeof(*to));
            }
        }
    }
    set[place] = EVERY_LINE;
    begins[place] = (uint16_t)(to - set);
    return to;
}

void word_lists_of(const char *pattern, struct literal *one)
{
    struct word_sets words = {.count = 0};
    unsigned first, n;
    size_t size = 0;
    uint16_t *to = NULL;

    words_of(pattern, &words);
    first = words.count > 0 && words.sets[0].count == 1;
    for (n = first; n < words.count; n++) {
        size += size_of(&words.sets[n]);
    }
    if (words.count == 0 || (size > 0 && (one->sets = to = room(size)) == NULL)) {
        return;
    }
    for (n = first; n < words.count; n++) {
        to = put(to, &words.sets[n]);
    }
    for (n = 0; n < words.count; n++) {
        one->counts[n] = (uint8_t)count_firsts(&words.sets[n]);
    }
    one->key = count_firsts(&words.sets[0]) == 1 ? words.sets[0].places[0][0] : EVERY_LINE;
    if (first) {
        memcpy(one->places, words.sets[0].places[0], sizeof(one->places));
        one->counts[0] = ONE_WORD;
    }
}

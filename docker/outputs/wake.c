#define _GNU_SOURCE
#include "wake.h"

#include <linux/futex.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "deadline.h"
#include "state.h"

#define LOOK_MS 100 /* between two looks where there is no page, as nothing runs but the output */
#define LONGEST_MS 1000 /* until the next look in any case: the day changes, or the page was made anew */

static struct state *page;

/* It is made anew at each start, after the outputs have begun. */
static void map_again(void)
{
    if (page != NULL) {
        munmap(page, sizeof(*page));
    }
    page = state_map();
}

uint32_t wake_count(void)
{
    if (page == NULL) {
        map_again();
    }
    return page == NULL ? 0 : __atomic_load_n(&page->alerts_written, __ATOMIC_SEQ_CST);
}

void wake_wait(uint32_t count)
{
    struct timespec limit = {LONGEST_MS / 1000, LONGEST_MS % 1000 * 1000000L};

    if (page == NULL) {
        pause_ms(LOOK_MS);
        return;
    }
    __atomic_fetch_add(&page->outputs_asleep, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &page->alerts_written, FUTEX_WAIT, count, &limit, NULL, 0);
    __atomic_fetch_sub(&page->outputs_asleep, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&page->alerts_written, __ATOMIC_SEQ_CST) == count) {
        map_again();
    }
}

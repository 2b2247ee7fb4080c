/* The engine's threads wait up to 5 s, its options' maximum, for a place in the next one's queue and then drop the
 * message. An engine that was held up for longer, or whose clock was put forward, drops one of each queue when it
 * goes on. Here they wait as long as it takes: the queue's other end is a thread of the same process, and at the end
 * of that process the wait ends too. */
#include <time.h>

int os_queue_push_ex_block(void *queue, void *data);

int __wrap_os_queue_push_ex_timedwait(void *queue, void *data, const struct timespec *abstime)
{
    (void)abstime;
    return os_queue_push_ex_block(queue, data);
}

#define _GNU_SOURCE
#include "udp.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "intake.h"
#include "say.h"

#define BATCH 128
#define LARGEST 65536             /* bytes of a datagram */
#define BUFFER_WANTED (1 << 26)   /* bytes of the socket's buffer, of which the host gives what it allows */
#define BUFFER_GOOD (4 << 20)
#define FILLS 4                   /* with that part of it full, it is better emptied now */
#define AT_THE_END 1000           /* batches that are taken at most when the server ends */

static struct watch watch = {.fd = -1};
static struct mmsghdr messages[BATCH];
static struct iovec parts[BATCH];
static struct sockaddr_storage senders[BATCH];
static char (*texts)[LARGEST];

static void take_datagram(int n)
{
    const struct source *source = source_of(&senders[n]);
    size_t length = messages[n].msg_len;

    if (!source->allowed && !source->relay) {
        count(&state->refused, 1);
        notice(NOTICE_REFUSED, 1, source->text);
        return;
    }
    while (length > 0 && strchr("\r\n", texts[n][length - 1]) != NULL) { /* NUL, too */
        length--;
    }
    take_line(INPUT_UDP, source, texts[n], length);
}

static int receive(void)
{
    int got;
    _Static_assert(BATCH * (JOURNAL_RECORD_MAX + 16) < JOURNAL_ROOM, "what is read can be written");

    if (!journal_make_room(journal)) {
        return 0;
    }
    for (int n = 0; n < BATCH; n++) {
        messages[n].msg_hdr.msg_namelen = sizeof(senders[n]);
    }
    got = recvmmsg(watch.fd, messages, BATCH, MSG_DONTWAIT, NULL);
    for (int n = 0; n < got; n++) {
        take_datagram(n);
    }
    return got;
}

static void udp_ready(struct watch *unused, uint32_t events)
{
    (void)unused, (void)events;
    receive();
}

int udp_receive(int fd)
{
    int wanted = BUFFER_WANTED, given = 0;
    socklen_t size = sizeof(given);

    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &wanted, sizeof(wanted));
    getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &given, &size);
    given /= 2; /* the kernel doubles what it is asked for */
    if (given < BUFFER_GOOD) {
        say("UDP's receive buffer is %d bytes, all that this host allows: a burst may be lost in it; set the host's "
            "net.core.rmem_max to %d or more", given, BUFFER_GOOD);
    }
    if ((texts = malloc(sizeof(*texts) * BATCH)) == NULL) {
        return -1;
    }
    for (int n = 0; n < BATCH; n++) {
        parts[n] = (struct iovec){texts[n], LARGEST};
        messages[n].msg_hdr = (struct msghdr){.msg_name = &senders[n], .msg_iov = &parts[n], .msg_iovlen = 1};
    }
    watch = (struct watch){udp_ready, fd, 0};
    return loop_add(&watch, EPOLLIN);
}

static int look(uint32_t numbers[SK_MEMINFO_VARS])
{
    socklen_t size = SK_MEMINFO_VARS * sizeof(numbers[0]);

    return watch.fd >= 0 && getsockopt(watch.fd, SOL_SOCKET, SO_MEMINFO, numbers, &size) == 0 &&
           size > SK_MEMINFO_DROPS * sizeof(numbers[0]);
}

int udp_fills(void)
{
    uint32_t numbers[SK_MEMINFO_VARS];

    return look(numbers) && numbers[SK_MEMINFO_RMEM_ALLOC] > numbers[SK_MEMINFO_RCVBUF] / FILLS;
}

void udp_count_lost(void)
{
    uint32_t numbers[SK_MEMINFO_VARS];

    if (look(numbers)) {
        uint32_t more = numbers[SK_MEMINFO_DROPS] - (uint32_t)state->lost_udp; /* which wraps round as the kernel's does */

        if (more > 0) {
            count(&state->lost_udp, more);
            notice(NOTICE_LOST, more, "");
        }
    }
}

void udp_end(void)
{
    int unread = 0;

    if (watch.fd < 0) {
        return;
    }
    for (int n = 0; n < AT_THE_END && receive() > 0; n++) {
    }
    if (!journal_make_room(journal) && ioctl(watch.fd, FIONREAD, &unread) == 0 && unread > 0) {
        say("the volume is full, so the datagrams that came last were not taken; make room on it");
    }
    udp_count_lost();
    close(watch.fd);
    watch.fd = -1;
}

/* What `health` looks at besides ossec-intake and the engine: the outputs, the volume, the metrics. It asks a server that
 * runs and reads no settings: what is on is told by a file in the folder WATCHED (health.bash makes it), which also
 * remembers the last look. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "probe.h"
#include "say.h"
#include "status.h"

#define WATCHED "/run/ossec/health"
#define OUTPUT_PATIENCE 60       /* seconds in which an output with alerts before it delivers at least one */
#define MAIL_PATIENCE 15         /* minutes that a mail may wait; its relay is tried every 5 */
#define NEARLY_FULL (8u << 20)   /* bytes; at 4 MiB ossec-intake takes nothing more */
#define FEW_INODES 64
#define HTTP_PATIENCE 3          /* seconds */

static int healthy;

#define unhealthy(...) (healthy = 0, say("unhealthy: " __VA_ARGS__))

static void path_of(const char *name, char path[128]) { snprintf(path, 128, WATCHED "/%s", name); }

/* The numbers in that file, at most two: how many; -1 where there is no such file. */
static int recall(const char *name, uint64_t numbers[2])
{
    char path[128];
    FILE *file;
    int count;

    path_of(name, path);
    if ((file = fopen(path, "re")) == NULL) {
        return -1;
    }
    count = fscanf(file, "%" SCNu64 " %" SCNu64, &numbers[0], &numbers[1]);
    fclose(file);
    return count < 0 ? 0 : count;
}

static void remember(const char *name, const uint64_t *numbers, int count)
{
    char path[128];
    FILE *file;

    path_of(name, path);
    if ((file = fopen(path, "we")) == NULL) {
        return;
    }
    for (int n = 0; n < count; n++) {
        fprintf(file, "%s%" PRIu64, n ? " " : "", numbers[n]);
    }
    fputc('\n', file);
    fclose(file);
}

/* Whether it delivers, while alerts wait for it. Somebody else may be to blame: who reads standard output, the peer that
 * alerts are forwarded to. */
static void check_output(const char *name, const char *folder, const char *advice)
{
    uint64_t handed_on = 0, waiting = 0, before[2], now = (uint64_t)time(NULL);
    int count = recall(name, before);

    if (count < 0) {
        return;
    }
    if (output_counters(folder, &handed_on, &waiting) != 0 || waiting == 0 || count < 2 || handed_on != before[0]) {
        remember(name, (uint64_t[2]){handed_on, now}, 2);
    } else if (now > before[1] + OUTPUT_PATIENCE) {
        unhealthy("ossec-%s: %" PRIu64 " bytes of alerts wait, and none was delivered for %" PRIu64 " s; %s", name, waiting,
                  now - before[1], advice);
    }
}

/* health.bash makes a file notify-PLACE for each URL of OSSEC_NOTIFY_URL. */
static void check_notify(void)
{
    struct dirent *entry;
    DIR *folder = opendir(WATCHED);
    char path[128];

    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        if (strncmp(entry->d_name, "notify-", 7) == 0) {
            snprintf(path, sizeof(path), "notify/%.40s", entry->d_name + 7);
            check_output(entry->d_name, path, "the log says what its server answers");
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
}

static void check_mail(void)
{
    uint64_t unused[2];
    struct dirent *entry;
    struct stat file;
    int count = 0;
    DIR *folder;

    if (recall("mail", unused) < 0 || (folder = opendir(MAILS)) == NULL) {
        return;
    }
    while ((entry = readdir(folder)) != NULL) {
        if (fstatat(dirfd(folder), entry->d_name, &file, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(file.st_mode) &&
            time(NULL) - file.st_mtime > MAIL_PATIENCE * 60) {
            count++;
        }
    }
    closedir(folder);
    if (count > 0) {
        unhealthy("mail: %d mails wait for more than %d minutes; the log says what the relay answers", count, MAIL_PATIENCE);
    }
}

static void check_room(void)
{
    struct statvfs volume;
    double free_bytes;

    if (statvfs(DATA, &volume) != 0) {
        return;
    }
    free_bytes = (double)volume.f_bavail * (double)volume.f_frsize;
    if (free_bytes < NEARLY_FULL) {
        unhealthy("%s: the volume is nearly full (%.1f MiB are free); make room, or set OSSEC_RETENTION_BYTES", DATA,
                  free_bytes / (1 << 20));
    }
    if (volume.f_files > 0 && volume.f_favail < FEW_INODES) { /* a file system that makes them as it needs them has none */
        unhealthy("%s: the volume has %ju inodes left; delete files on it", DATA, (uintmax_t)volume.f_favail);
    }
}

/* Told by the intake's count, compared with the one of the last look. */
static void check_descriptors(void)
{
    const struct state *page = state_map();
    uint64_t before[2] = {0, 0}, now;

    if (page == NULL) {
        return;
    }
    now = __atomic_load_n(&page->no_descriptors, __ATOMIC_ACQUIRE);
    if (recall("descriptors", before) < 1) {
        before[0] = 0;
    }
    if (now > before[0]) {
        unhealthy("ossec-intake: %" PRIu64 " connections were not accepted, as descriptors or memory ran out; start with "
                  "--ulimit nofile=65536, or lower OSSEC_MAX_CONNECTIONS", now - before[0]);
    }
    remember("descriptors", &now, 1);
}

static int answers_http(uint16_t port)
{
    static const char question[] = "GET / HTTP/1.0\r\n\r\n";
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {HTTP_PATIENCE, 0};
    char answer[6] = "";
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), answers;

    if (fd < 0) {
        return 0;
    }
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    answers = connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
              send(fd, question, sizeof(question) - 1, MSG_NOSIGNAL) == sizeof(question) - 1 &&
              recv(fd, answer, sizeof(answer) - 1, MSG_WAITALL) == sizeof(answer) - 1 && strcmp(answer, "HTTP/") == 0;
    close(fd);
    return answers;
}

static void check_metrics_server(void)
{
    uint64_t port[2];

    if (recall("metrics", port) == 1 && !answers_http((uint16_t)port[0])) {
        unhealthy("mini_httpd: no answer on port %u within %d s, where metrics are asked for", (unsigned)port[0], HTTP_PATIENCE);
    }
}

int health(int own)
{
    healthy = probe() == 0; /* it says what does not work */
    check_descriptors();
    check_metrics_server();
    if (!own) {
        check_room();
        check_notify();
        check_output("output", "output", "is standard output read?");
        check_output("forward", "forward", "the log says what its peer answers");
        check_mail();
    }
    return healthy ? 0 : 1;
}

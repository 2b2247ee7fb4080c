/* What every program does first, and how it speaks. */
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>

#include "shared.h"

volatile sig_atomic_t ending;
static const char *program, *log_file = HOME "/logs/ossec.log";

void say(const char *kind, const char *format, ...)
{
    char text[1024], moment[32], line[1200];
    time_t now = time(NULL);
    FILE *file;
    va_list values;

    va_start(values, format);
    vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    strftime(moment, sizeof(moment), "%Y/%m/%d %H:%M:%S", localtime(&now));
    snprintf(line, sizeof(line), "%s %s: %s: %s\n", moment, program, kind, text);
    fputs(line, stderr);
    if ((file = fopen(log_file, "a")) != NULL) {
        fputs(line, file);
        fclose(file);
    }
}

void *must(void *memory)
{
    if (memory == NULL) {
        fail("no memory left");
    }
    return memory;
}

int only_check(int argc, char **argv, const char *name)
{
    const char *option = argc == 2 ? argv[1] : "";

    program = name;
    umask(0027);
    if (strcmp(option, "-V") == 0) {
        fputs("OSSEC stand-in v0.1.0: not OSSEC, but what its image is tested with\n", stderr);
        exit(0);
    }
    if (strcmp(option, "-t") != 0 && strcmp(option, "-f") != 0) {
        fprintf(stderr, "usage: %s -f (run in the foreground) | -t (check the configuration) | -V (version)\n", name);
        exit(1);
    }
    return option[1] == 't';
}

void drop_root(const char *user)
{
    struct group *group = getgrnam("ossec");
    struct passwd *account = getpwnam(user);

    if (group == NULL || account == NULL || setgroups(1, &group->gr_gid) != 0 || setegid(group->gr_gid) != 0 ||
        setgid(group->gr_gid) != 0 || chroot(HOME) != 0 || chdir("/") != 0 || setuid(account->pw_uid) != 0 ||
        seteuid(account->pw_uid) != 0) {
        fail("cannot become the user %s of the group ossec in %s: %s", user, HOME, strerror(errno));
    }
    log_file = "/logs/ossec.log";
}

void note_ending(int sig) { ending = 1; }

void StartSIG2(const char *process_name, void (*func)(int))
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, func);
    signal(SIGTERM, func);
}

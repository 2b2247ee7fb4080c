/* The daemons give up root by changing user, group and root folder. In a container that never had root
 * there is nothing to give up, and every one of those calls would fail. Each process stays who it was
 * started as: the "ossec" user and group are that user and group. */
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

int __wrap_chroot(const char *path) { return chdir(path); }
int __wrap_setgroups(size_t size, const gid_t *list) { (void)size; (void)list; return 0; }
int __wrap_setuid(uid_t uid) { (void)uid; return 0; }
int __wrap_seteuid(uid_t uid) { (void)uid; return 0; }
int __wrap_setgid(gid_t gid) { (void)gid; return 0; }
int __wrap_setegid(gid_t gid) { (void)gid; return 0; }

int __wrap_chown(const char *path, uid_t owner, gid_t group)
{
    (void)path; (void)owner; (void)group;
    return 0;
}

int __real_chmod(const char *path, mode_t mode);

/* analysisd sets etc/shared/ar.conf to 0440 and opens it for writing again: root may, its owner may not. */
int __wrap_chmod(const char *path, mode_t mode) { return __real_chmod(path, mode | S_IWUSR); }

struct passwd *__wrap_getpwnam(const char *name)
{
    static struct passwd self;
    self.pw_name = (char *)name;
    self.pw_dir = "/var/ossec";
    self.pw_shell = "/usr/sbin/nologin";
    self.pw_uid = getuid();
    self.pw_gid = getgid();
    return &self;
}

struct group *__wrap_getgrnam(const char *name)
{
    static char *nobody[] = {NULL};
    static struct group self;
    self.gr_name = (char *)name;
    self.gr_gid = getgid();
    self.gr_mem = nobody;
    return &self;
}

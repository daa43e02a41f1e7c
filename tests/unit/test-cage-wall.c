// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The hostile kernel.  Each row of a table is something that a kernel which has been taken
 * over may ask of the host, against files, processes and sockets of the user that are none of
 * its business.  It is tried by a process that enters the jail as the kernel does, behind every
 * wall that a host can have, and without one, where it must succeed: a row that would fail
 * anyway shows nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <netinet/in.h>
#include <unistd.h>

#include "tests/support/unit.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/landlock.h"
#include "umlcage/base/str.h"
#include "umlcage/cage/jail.h"

enum { NOBODY = 65534 };

/* What is the user's and not the cage's, and what is the cage's. */
static struct {
	char top[UNIT_PATH], secret[96], dir[96], link[96], sock[96], made[96], empty[96];
	char share[96], ro[96], bound[96];	/* given, to be written, to be read, and as with --bind */
	int share_fd, ro_fd, bound_fd;
	int file_fd, ro_file_fd;	/* single files, the same two ways */
	int sock_fd;			/* receives on sock */
	int abstract;			/* listens on an abstract name */
	pid_t victim;
	long bait;			/* in the memory of the victim as well */
} w;

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	return sun;
}

/* An abstract name is the path after a zero byte. */
static socklen_t abstract_address(struct sockaddr_un *sun)
{
	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	snprintf(sun->sun_path + 1, sizeof(sun->sun_path) - 1, "%s", w.top);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(w.top));
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write_full(fd, text, strlen(text)), 0);
	close(fd);
}

/* All of it is an ordinary user's, who is nobody if this is root. */
static void become_user(void)
{
	if (geteuid() != 0)
		return;
	ck_assert_int_eq(setresgid(NOBODY, NOBODY, NOBODY), 0);
	ck_assert_int_eq(setresuid(NOBODY, NOBODY, NOBODY), 0);
	/* gone with the change of user, and with it /proc/self */
	prctl(PR_SET_DUMPABLE, 1);
}

static void setup(void)
{
	struct sockaddr_un sun;
	socklen_t len;

	become_user();
	unit_dir(w.top, "test-wall");
	snprintf(w.dir, sizeof(w.dir), "%s/home", w.top);
	snprintf(w.secret, sizeof(w.secret), "%s/home/secret", w.top);
	snprintf(w.link, sizeof(w.link), "%s/home/link", w.top);
	snprintf(w.sock, sizeof(w.sock), "%s/home/sock", w.top);
	snprintf(w.made, sizeof(w.made), "%s/home/made", w.top);
	snprintf(w.share, sizeof(w.share), "%s/share", w.top);
	snprintf(w.ro, sizeof(w.ro), "%s/ro", w.top);
	snprintf(w.empty, sizeof(w.empty), "%s/empty", w.top);
	ck_assert_int_eq(mkdir(w.dir, 0700), 0);
	ck_assert_int_eq(mkdir(w.empty, 0700), 0);
	ck_assert_int_eq(mkdir(w.share, 0700), 0);
	ck_assert_int_eq(mkdir(w.ro, 0700), 0);
	put(w.secret, "secret");
	w.share_fd = open(w.share, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	w.ro_fd = open(w.ro, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(w.bound, sizeof(w.bound), "%s/bound", w.top);
	ck_assert_int_eq(mkdir(w.bound, 0700), 0);
	w.bound_fd = open(w.bound, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_free char *file = path_join(w.ro, "file");
	cleanup_free char *single = path_join(w.dir, "single"), *ro_single = path_join(w.dir, "ro-single");

	put(file, "kept");
	put(single, "single");
	put(ro_single, "kept");
	w.file_fd = open(single, O_RDWR | O_CLOEXEC);
	w.ro_file_fd = open(ro_single, O_RDONLY | O_CLOEXEC);
	cleanup_free char *given = path_join(w.share, "file"), *link = path_join(w.share, "link");

	put(given, "mine");
	ck_assert_int_eq(setxattr(given, "user.s", "x", 1, 0), 0);
	ck_assert_int_eq(symlink("secret", link), 0);
	ck_assert_int_eq(symlink("secret", w.link), 0);
	ck_assert_int_eq(setxattr(w.secret, "user.s", "x", 1, 0), 0);
	w.sock_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	sun = address(w.sock);
	ck_assert_int_eq(bind(w.sock_fd, (void *)&sun, sizeof(sun)), 0);
	w.abstract = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	len = abstract_address(&sun);
	ck_assert_int_eq(bind(w.abstract, (void *)&sun, len), 0);
	ck_assert_int_eq(listen(w.abstract, 5), 0);
	/* check's own handler would end the test, if the victim were hit before it has no more */
	signal(SIGTERM, SIG_DFL);
	w.victim = fork();
	ck_assert_int_ge(w.victim, 0);
	if (w.victim == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setpgid(0, 0);
		for (;;)
			pause();
	}
	setpgid(w.victim, w.victim);
}

static void teardown(void)
{
	kill(w.victim, SIGKILL);
	waitpid(w.victim, NULL, 0);
	close_fd(&w.share_fd);
	close_fd(&w.ro_fd);
	close_fd(&w.sock_fd);
	close_fd(&w.abstract);
	ck_assert_int_eq(remove_tree(AT_FDCWD, w.top, NULL), 0);
}

/* ---- the calls; each returns what the system call did ---- */

#define CALL(name) static long name(void)

CALL(open_file) { return open(w.secret, O_RDONLY); }
CALL(open_write) { return open(w.secret, O_WRONLY); }
CALL(open_dir) { return open(w.dir, O_RDONLY | O_DIRECTORY); }
CALL(open_create) { return open(w.made, O_CREAT | O_RDWR, 0600); }
CALL(open_above) { return openat(w.share_fd, "../home/secret", O_RDONLY); }
CALL(open_shm) { return open("/dev/shm/test-wall", O_CREAT | O_RDWR, 0600); }
CALL(open_tmp) { return open("/tmp", O_RDONLY | O_DIRECTORY); }
CALL(open_passwd) { return open("/etc/passwd", O_RDONLY); }
CALL(open_process) { char p[64]; snprintf(p, sizeof(p), "/proc/%d/mem", w.victim); return open(p, O_RDWR); }
CALL(open_maps) { char p[64]; snprintf(p, sizeof(p), "/proc/%d/maps", w.victim); return open(p, O_RDONLY); }
CALL(open_ptmx) { return open("/dev/ptmx", O_RDWR); }
CALL(do_openat2)
{
	struct open_how how = { .flags = O_RDONLY };

	return syscall(SYS_openat2, AT_FDCWD, w.secret, &how, sizeof(how));
}
CALL(do_truncate) { return truncate(w.secret, 0); }
CALL(do_unlink) { return unlinkat(AT_FDCWD, w.secret, 0); }
CALL(unlink_above) { return unlinkat(w.share_fd, "../home/secret", 0); }
CALL(do_mkdir) { return mkdirat(AT_FDCWD, w.made, 0700); }
CALL(do_rmdir) { return unlinkat(AT_FDCWD, w.empty, AT_REMOVEDIR); }
CALL(do_symlink) { return symlinkat("x", AT_FDCWD, w.made); }
CALL(link_in) { return linkat(AT_FDCWD, w.secret, w.share_fd, "got", 0); }
CALL(rename_in) { return renameat(AT_FDCWD, w.secret, w.share_fd, "got"); }
CALL(rename_out) { mkdirat(w.share_fd, "d", 0700); return renameat(w.share_fd, "d", AT_FDCWD, w.made); }
CALL(do_mknod) { return syscall(SYS_mknod, w.made, S_IFIFO | 0600, 0); }
CALL(do_mknodat) { return mknodat(AT_FDCWD, w.made, S_IFIFO | 0600, 0); }
CALL(do_chmod) { return chmod(w.secret, 0777); }
CALL(do_fchmodat) { return syscall(SYS_fchmodat, AT_FDCWD, w.secret, 0666); }
CALL(do_fchmodat2) { return syscall(452, AT_FDCWD, w.secret, 0666, 0); }
CALL(do_chown) { return chown(w.secret, geteuid(), (gid_t)-1); }
CALL(do_setxattr) { return setxattr(w.secret, "user.evil", "x", 1, 0); }
CALL(do_lsetxattr) { return lsetxattr(w.secret, "user.evil", "x", 1, 0); }
CALL(do_getxattr) { char b[10]; return getxattr(w.secret, "user.s", b, sizeof(b)); }
CALL(do_lgetxattr) { char b[10]; return lgetxattr(w.secret, "user.s", b, sizeof(b)); }
CALL(do_listxattr) { char b[99]; return listxattr(w.secret, b, sizeof(b)); }
CALL(do_removexattr) { return removexattr(w.secret, "user.s"); }
CALL(do_lremovexattr) { return lremovexattr(w.secret, "user.s"); }
struct xattr_at { uint64_t value; uint32_t size, flags; };
CALL(do_setxattrat)
{
	struct xattr_at a = { (uintptr_t)"x", 1, 0 };

	return syscall(463, AT_FDCWD, w.secret, 0, "user.evil", &a, sizeof(a));
}
CALL(do_getxattrat)
{
	char b[10];
	struct xattr_at a = { (uintptr_t)b, sizeof(b), 0 };

	return syscall(464, AT_FDCWD, w.secret, 0, "user.s", &a, sizeof(a));
}
CALL(do_removexattrat) { return syscall(466, AT_FDCWD, w.secret, 0, "user.s"); }
CALL(do_utimensat) { return utimensat(AT_FDCWD, w.secret, NULL, 0); }
CALL(do_stat) { struct stat st; return stat(w.secret, &st); }
CALL(do_statx) { struct statx sx; return statx(AT_FDCWD, w.secret, 0, STATX_BASIC_STATS, &sx); }
CALL(statx_above) { struct statx sx; return statx(w.share_fd, "../home/secret", AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &sx); }
CALL(statx_link) { struct statx sx; return statx(AT_FDCWD, w.link, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &sx); }
CALL(stat_empty) { struct stat st; return syscall(SYS_newfstatat, AT_FDCWD, w.secret, &st, AT_EMPTY_PATH); }
CALL(do_readlinkat) { char b[99]; return readlinkat(AT_FDCWD, w.link, b, sizeof(b)); }
CALL(utimensat_link) { return utimensat(AT_FDCWD, w.link, NULL, AT_SYMLINK_NOFOLLOW); }
CALL(do_access) { return access(w.secret, R_OK); }
CALL(do_readlink) { char b[99]; return readlink(w.link, b, sizeof(b)); }
CALL(do_statfs) { struct statfs s; return statfs(w.dir, &s); }
CALL(open_path) { return open(w.secret, O_PATH); }
CALL(do_chdir) { return chdir(w.dir); }
CALL(do_getcwd) { char b[999]; return getcwd(b, sizeof(b)) ? 0 : -1; }

/* A file that is only to be read: its attributes are the user's. */
static int ro_file(void) { return openat(w.ro_fd, "file", O_RDONLY); }
CALL(ro_write) { return openat(w.ro_fd, "file", O_WRONLY); }
CALL(ro_create) { return openat(w.ro_fd, "new", O_CREAT | O_RDWR, 0600); }
CALL(ro_unlink) { return unlinkat(w.ro_fd, "file", 0); }
CALL(ro_fchmod) { return fchmod(ro_file(), 0777); }
CALL(ro_fsetxattr) { return fsetxattr(ro_file(), "user.evil", "x", 1, 0); }
CALL(ro_futimens) { return syscall(SYS_utimensat, ro_file(), NULL, NULL, 0); }

/* A single file is the cage's by its descriptor: not by a name, not in another way, no sibling. */
static long again(int fd, int flags)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return open(name, flags);
}
CALL(file_write) { return pwrite(w.file_fd, "x", 1, 0); }
CALL(file_truncate) { return ftruncate(w.file_fd, 3); }
CALL(file_above) { return openat(w.file_fd, "..", O_RDONLY) < 0 ? open(w.dir, O_RDONLY) : 0; }
CALL(file_sibling) { cleanup_free char *name = path_join(w.dir, "ro-single"); return open(name, O_RDONLY); }
CALL(ro_file_again) { return again(w.ro_file_fd, O_RDWR); }
CALL(ro_file_truncate) { return again(w.ro_file_fd, O_RDWR | O_TRUNC); }
CALL(ro_file_fchmod) { return fchmod(w.ro_file_fd, 0777); }
/* Nodes are for ordinary folders. */
CALL(bound_fifo) { return mknodat(w.bound_fd, "fifo", S_IFIFO | 0600, 0); }
CALL(bound_socket) { return mknodat(w.bound_fd, "sock", S_IFSOCK | 0600, 0); }
CALL(share_fifo) { return mknodat(w.share_fd, "fifo", S_IFIFO | 0600, 0); }
CALL(share_socket) { return mknodat(w.share_fd, "sock", S_IFSOCK | 0600, 0); }
/* (root's alone otherwise, but for this one) */
CALL(bound_whiteout) { return mknodat(w.bound_fd, "char", S_IFCHR | 0600, 0); }
CALL(bound_fchown) { return fchown(w.file_fd, (uid_t)-1, getegid()); }
/* What the kernel does all the time, and has to be able to. */
CALL(in_statx)
{
	struct statx sx = { 0 };
	int ret = statx(w.share_fd, "link", AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &sx);

	return ret < 0 ? ret : S_ISLNK(sx.stx_mode) && sx.stx_size == 6 ? 0 : -1;
}
CALL(in_readlink)
{
	char b[9] = "";

	return readlinkat(w.share_fd, "link", b, sizeof(b)) == 6 && strcmp(b, "secret") == 0 ? 0 : -1;
}
CALL(in_utimensat)
{
	struct timespec ts[2] = { { .tv_sec = 1000000 }, { .tv_sec = 2000000 } };
	struct statx sx = { 0 };
	int ret = utimensat(w.share_fd, "link", ts, AT_SYMLINK_NOFOLLOW);

	if (ret < 0)
		return ret;
	ret = statx(w.share_fd, "link", AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &sx);
	return ret < 0 ? ret : sx.stx_mtime.tv_sec == 2000000 ? 0 : -1;
}
static int share_file(void) { return openat(w.share_fd, "file", O_RDWR); }
CALL(in_futimens) { return syscall(SYS_utimensat, share_file(), NULL, NULL, 0); }
CALL(in_fchmod)
{
	int fd = share_file();
	struct stat st;

	if (fchmod(fd, 0700) < 0 || syscall(SYS_fstat, fd, &st) < 0)
		return -1;
	return (st.st_mode & 0777) == 0700 ? 0 : -1;
}
CALL(in_fsetxattr)
{
	char b[9] = "";
	int fd = share_file();

	if (fsetxattr(fd, "user.t", "value", 5, 0) < 0)
		return -1;
	return fgetxattr(fd, "user.t", b, sizeof(b)) == 5 && strcmp(b, "value") == 0 ? 0 : -1;
}
CALL(in_fremovexattr) { return fremovexattr(share_file(), "user.s"); }
CALL(in_fstat)
{
	struct stat st = { 0 };
	int ret = (int)syscall(SYS_newfstatat, share_file(), "", &st, AT_EMPTY_PATH);

	return ret < 0 ? ret : st.st_size == 4 ? 0 : -1;
}
static pid_t child_of_ours(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}
CALL(kill_child)
{
	pid_t pid = child_of_ours();

	if (kill(pid, SIGKILL) < 0)
		return -1;
	return waitpid(pid, NULL, 0) == pid ? 0 : -1;
}
CALL(place_child)
{
	pid_t pid = child_of_ours();
	cpu_set_t s;
	int ret;

	sched_getaffinity(0, sizeof(s), &s);
	ret = sched_setaffinity(pid, sizeof(s), &s);
	kill(pid, SIGKILL);
	return ret;
}

CALL(kill_term) { return kill(w.victim, SIGTERM); }
CALL(kill_kill) { return kill(w.victim, SIGKILL); }
CALL(kill_probe) { return kill(w.victim, 0); }
CALL(kill_group) { return kill(-w.victim, SIGKILL); }
CALL(do_tgkill) { return syscall(SYS_tgkill, w.victim, w.victim, SIGKILL); }
CALL(do_tkill) { return syscall(SYS_tkill, w.victim, SIGKILL); }
CALL(do_sigqueue) { siginfo_t si = { .si_code = SI_QUEUE }; return syscall(SYS_rt_sigqueueinfo, w.victim, SIGUSR1, &si); }
CALL(do_pidfd) { return syscall(SYS_pidfd_open, w.victim, 0); }
/* The kernel sends it when the pipe can be read: with F_SETSIG, any signal. */
CALL(fcntl_owner) { int p[2]; return pipe(p) < 0 ? -1 : fcntl(p[0], F_SETOWN, w.victim); }
CALL(fcntl_owner_group) { int p[2]; return pipe(p) < 0 ? -1 : fcntl(p[0], F_SETOWN, -w.victim); }
CALL(do_ptrace) { return ptrace(PTRACE_ATTACH, w.victim, NULL, NULL); }
CALL(do_seize) { return ptrace(PTRACE_SEIZE, w.victim, NULL, NULL); }
CALL(vm_readv)
{
	long got;
	struct iovec here = { &got, sizeof(got) }, there = { &w.bait, sizeof(got) };

	return process_vm_readv(w.victim, &here, 1, &there, 1, 0);
}
CALL(vm_writev)
{
	long put_there = 1;
	struct iovec here = { &put_there, sizeof(put_there) }, there = { &w.bait, sizeof(put_there) };

	return process_vm_writev(w.victim, &here, 1, &there, 1, 0);
}
CALL(do_prlimit) { struct rlimit l; return prlimit(w.victim, RLIMIT_NOFILE, NULL, &l); }
CALL(do_affinity) { cpu_set_t s; sched_getaffinity(0, sizeof(s), &s); return sched_setaffinity(w.victim, sizeof(s), &s); }
CALL(do_scheduler) { struct sched_param p = { 0 }; return sched_setscheduler(w.victim, SCHED_BATCH, &p); }
CALL(do_priority) { return setpriority(PRIO_PROCESS, (id_t)w.victim, 10); }
CALL(do_getpgid) { return getpgid(w.victim); }
CALL(do_getaffinity) { cpu_set_t s; return sched_getaffinity(w.victim, sizeof(s), &s); }
CALL(do_robust_list) { void *head; size_t len; return syscall(SYS_get_robust_list, w.victim, &head, &len); }
CALL(do_setsid) { return setsid(); }
CALL(no_death_signal) { return prctl(PR_SET_PDEATHSIG, 0); }
CALL(do_setpgid) { return setpgid(0, 0); }

CALL(socket_unix) { return socket(AF_UNIX, SOCK_DGRAM, 0); }
CALL(socket_inet) { return socket(AF_INET, SOCK_STREAM, 0); }
CALL(socket_udp) { return socket(AF_INET, SOCK_DGRAM, 0); }
CALL(socket_netlink) { return socket(AF_NETLINK, SOCK_RAW, 0); }
CALL(pair_datagram) { int p[2]; return socketpair(AF_UNIX, SOCK_DGRAM, 0, p); }
/* A stream pair is always to be had; nothing can be addressed through it. */
CALL(send_path)
{
	struct sockaddr_un sun = address(w.sock);
	int p[2] = { socket(AF_UNIX, SOCK_DGRAM, 0), -1 };

	if (p[0] < 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, p) < 0)
		return -1;
	return sendto(p[0], "hi", 2, 0, (void *)&sun, sizeof(sun));
}
CALL(sendmsg_path)
{
	struct sockaddr_un sun = address(w.sock);
	struct iovec iov = { "hi", 2 };
	struct msghdr m = { .msg_name = &sun, .msg_namelen = sizeof(sun), .msg_iov = &iov, .msg_iovlen = 1 };
	int p[2] = { socket(AF_UNIX, SOCK_DGRAM, 0), -1 };

	if (p[0] < 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, p) < 0)
		return -1;
	return sendmsg(p[0], &m, 0);
}
CALL(connect_abstract)
{
	struct sockaddr_un sun;
	socklen_t len = abstract_address(&sun);
	int p[2] = { socket(AF_UNIX, SOCK_STREAM, 0), -1 };

	if (p[0] < 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, p) < 0)
		return -1;
	return connect(p[0], (void *)&sun, len);
}

static long clone_with(unsigned long flags)
{
	long pid = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, 0);

	if (pid == 0)
		_exit(0);
	return pid;
}
CALL(clone_user) { return clone_with(CLONE_NEWUSER); }
CALL(clone_user_net) { return clone_with(CLONE_NEWUSER | CLONE_NEWNET); }
CALL(clone_user_mount) { return clone_with(CLONE_NEWUSER | CLONE_NEWNS); }
CALL(clone_parent) { return clone_with(CLONE_PARENT); }
CALL(do_clone3)
{
	struct { uint64_t flags, pidfd, child, parent, signal, stack, size, tls; } a = {
		.flags = CLONE_NEWUSER, .signal = SIGCHLD };
	long pid = syscall(SYS_clone3, &a, sizeof(a));

	if (pid == 0)
		_exit(0);
	return pid;
}
CALL(do_unshare) { return unshare(CLONE_NEWUSER); }
/* Something of the system that is not a library: /bin and not /usr/lib. */
CALL(do_execve)
{
	pid_t pid = vfork();
	int status;

	if (pid == 0) {
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	if (pid < 0)
		return -1;
	waitpid(pid, &status, 0);
	errno = EACCES;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}
CALL(do_ioctl_push) { char c = 'x'; int p[2]; return pipe(p) < 0 ? -1 : ioctl(p[0], FIONREAD, &c) < 0 ? -1 : 0; }
CALL(do_prctl_dumpable) { return prctl(PR_SET_DUMPABLE, 1); }
CALL(do_inotify) { return syscall(SYS_inotify_init1, 0); }
CALL(do_personality) { return syscall(SYS_personality, 0xffffffff); }
CALL(do_shmget) { return syscall(SYS_shmget, 0, 4096, 01600); }
CALL(do_msgget) { return syscall(SYS_msgget, 0, 01600); }

/* ---- the walls, and the table ---- */

enum {
	FILTER = 1,	/* the filter of system calls refuses it */
	LANDLOCK = 2,	/* Landlock of any age */
	TRUNCATE = 4,	/* from ABI 3 */
	SCOPES = 8,	/* from ABI 6 */
	NAMES = 16,	/* namespaces */
	WARDEN = 32,	/* the warden */
};

static const struct row {
	const char *name;
	long (*call)(void);
	int walls;	/* each of which refuses it; 0: what a kernel needs, which none does */
} rows[] = {
	{ "statx of a link in a share", in_statx, 0 },
	{ "readlinkat in a share", in_readlink, 0 },
	{ "utimensat of a link in a share", in_utimensat, 0 },
	{ "utimensat in a share", in_futimens, 0 },
	{ "fchmod in a share", in_fchmod, 0 },
	{ "fsetxattr in a share", in_fsetxattr, 0 },
	{ "fremovexattr in a share", in_fremovexattr, 0 },
	{ "fstat of a C library", in_fstat, 0 },
	{ "kill of a child", kill_child, 0 },
	{ "sched_setaffinity of a child", place_child, 0 },
	{ "open", open_file, LANDLOCK | NAMES },
	{ "open for writing", open_write, LANDLOCK | NAMES },
	{ "open a directory", open_dir, LANDLOCK | NAMES },
	{ "create", open_create, LANDLOCK | NAMES },
	{ "open above a share", open_above, LANDLOCK | NAMES },
	{ "create in /dev/shm", open_shm, LANDLOCK | NAMES },
	{ "open /tmp", open_tmp, LANDLOCK | NAMES },
	{ "open /etc/passwd", open_passwd, LANDLOCK | NAMES },
	{ "open memory of a process", open_process, LANDLOCK | NAMES },
	{ "open maps of a process", open_maps, LANDLOCK | NAMES },
	{ "open /dev/ptmx", open_ptmx, LANDLOCK | NAMES },
	{ "openat2", do_openat2, FILTER | LANDLOCK | NAMES },
	{ "truncate", do_truncate, FILTER },
	{ "unlink", do_unlink, LANDLOCK | NAMES },
	{ "unlink above a share", unlink_above, LANDLOCK | NAMES },
	{ "mkdir", do_mkdir, LANDLOCK | NAMES },
	{ "rmdir", do_rmdir, LANDLOCK | NAMES },
	{ "symlink", do_symlink, LANDLOCK | NAMES },
	{ "link into a share", link_in, LANDLOCK | NAMES },
	{ "rename into a share", rename_in, LANDLOCK | NAMES },
	{ "rename out of a share", rename_out, LANDLOCK | NAMES },
	{ "mknod", do_mknod, FILTER | LANDLOCK | NAMES },
	{ "mknodat", do_mknodat, LANDLOCK | NAMES },
	{ "chmod", do_chmod, FILTER | NAMES },
	{ "fchmodat", do_fchmodat, FILTER | NAMES },
	{ "fchmodat2", do_fchmodat2, FILTER | NAMES },
	{ "chown", do_chown, FILTER },
	{ "setxattr", do_setxattr, FILTER | NAMES },
	{ "lsetxattr", do_lsetxattr, FILTER | NAMES },
	{ "getxattr", do_getxattr, FILTER | NAMES },
	{ "lgetxattr", do_lgetxattr, FILTER | NAMES },
	{ "listxattr", do_listxattr, FILTER | NAMES },
	{ "removexattr", do_removexattr, FILTER | NAMES },
	{ "lremovexattr", do_lremovexattr, FILTER | NAMES },
	{ "setxattrat", do_setxattrat, FILTER | NAMES },
	{ "getxattrat", do_getxattrat, FILTER | NAMES },
	{ "removexattrat", do_removexattrat, FILTER | NAMES },
	{ "utimensat", do_utimensat, FILTER | NAMES },
	/* names, sizes and times can be seen where there is neither */
	{ "stat", do_stat, FILTER | NAMES },
	{ "statx", do_statx, FILTER | NAMES },
	{ "statx above a share", statx_above, WARDEN | NAMES },
	{ "statx of a link", statx_link, WARDEN | NAMES },
	{ "newfstatat AT_EMPTY_PATH", stat_empty, WARDEN | NAMES },
	{ "readlinkat", do_readlinkat, WARDEN | NAMES },
	/* the same for the times of what cannot be opened */
	{ "utimensat of a link", utimensat_link, WARDEN | NAMES },
	{ "access", do_access, FILTER | NAMES },
	{ "readlink", do_readlink, FILTER | NAMES },
	{ "statfs", do_statfs, FILTER | NAMES },
	{ "open O_PATH", open_path, FILTER | NAMES },
	{ "chdir", do_chdir, FILTER },
	{ "getcwd", do_getcwd, FILTER },
	{ "write to what is read-only", ro_write, LANDLOCK | NAMES },
	{ "create in what is read-only", ro_create, LANDLOCK | NAMES },
	{ "unlink in what is read-only", ro_unlink, LANDLOCK | NAMES },
	/* its owner may, through a descriptor that only reads */
	{ "fchmod of what is read-only", ro_fchmod, WARDEN | NAMES },
	{ "fsetxattr of what is read-only", ro_fsetxattr, WARDEN | NAMES },
	{ "utimensat of what is read-only", ro_futimens, WARDEN | NAMES },
	{ "write to a single file", file_write, 0 },
	{ "truncate a single file", file_truncate, 0 },
	{ "open what is above a single file", file_above, LANDLOCK | NAMES },
	{ "open a sibling of a single file", file_sibling, LANDLOCK | NAMES },
	{ "open a single file that is to be read to write", ro_file_again, LANDLOCK | NAMES },
	{ "truncate a single file that is to be read", ro_file_truncate, LANDLOCK | NAMES },
	{ "fchmod of a single file that is to be read", ro_file_fchmod, WARDEN | NAMES },
	{ "a fifo in a folder", bound_fifo, 0 },
	{ "a socket in a folder", bound_socket, 0 },
	{ "a fifo in a share", share_fifo, LANDLOCK },
	{ "a socket in a share", share_socket, LANDLOCK },
	{ "a device in a folder", bound_whiteout, FILTER | LANDLOCK },
	{ "fchown", bound_fchown, FILTER },
	{ "kill", kill_kill, WARDEN | SCOPES | NAMES },
	{ "kill SIGTERM", kill_term, WARDEN | SCOPES | NAMES },
	{ "kill 0", kill_probe, FILTER },
	{ "kill a group", kill_group, FILTER },
	{ "tgkill", do_tgkill, FILTER },
	{ "tkill", do_tkill, FILTER },
	{ "rt_sigqueueinfo", do_sigqueue, FILTER },
	{ "pidfd_open", do_pidfd, FILTER },
	{ "F_SETOWN", fcntl_owner, FILTER },
	{ "F_SETOWN of a group", fcntl_owner_group, FILTER },
	{ "PTRACE_ATTACH", do_ptrace, FILTER },
	{ "PTRACE_SEIZE", do_seize, FILTER },
	{ "process_vm_readv", vm_readv, FILTER },
	{ "process_vm_writev", vm_writev, FILTER },
	{ "prlimit", do_prlimit, FILTER },
	/* the kernel has to do this to its stubs */
	{ "sched_setaffinity", do_affinity, WARDEN | NAMES },
	{ "sched_getaffinity", do_getaffinity, FILTER },
	{ "get_robust_list", do_robust_list, FILTER },
	{ "sched_setscheduler", do_scheduler, FILTER },
	{ "setpriority", do_priority, FILTER },
	{ "getpgid", do_getpgid, FILTER | NAMES },
	/* what ends with the cage is its process group, and its parent's death is the kernel's */
	{ "setpgid", do_setpgid, FILTER },
	{ "setsid", do_setsid, FILTER },
	{ "PR_SET_PDEATHSIG", no_death_signal, FILTER },
	{ "socket of a Unix domain", socket_unix, FILTER },
	{ "socket of TCP", socket_inet, FILTER },
	{ "socket of UDP", socket_udp, FILTER },
	{ "socket of netlink", socket_netlink, FILTER },
	{ "socketpair of datagrams", pair_datagram, FILTER },
	{ "sendto a path", send_path, FILTER },
	{ "sendmsg to a path", sendmsg_path, FILTER },
	{ "connect to an abstract name", connect_abstract, FILTER },
	{ "clone CLONE_NEWUSER", clone_user, FILTER },
	{ "clone CLONE_NEWNET", clone_user_net, FILTER },
	{ "clone CLONE_NEWNS", clone_user_mount, FILTER },
	{ "clone CLONE_PARENT", clone_parent, FILTER },
	{ "clone3", do_clone3, FILTER },
	{ "unshare", do_unshare, FILTER },
	{ "execve", do_execve, FILTER },
	{ "another ioctl", do_ioctl_push, FILTER },
	{ "another prctl", do_prctl_dumpable, FILTER },
	{ "inotify", do_inotify, FILTER },
	{ "personality", do_personality, FILTER },
	{ "shmget", do_shmget, FILTER },
	{ "msgget", do_msgget, FILTER },
};

static const struct wall {
	const char *name;
	bool jail, namespaces, warden;
	int max_abi;
} walls[] = {
	{ "no jail", false, false, false, 0 },
	{ "no warden, ABI 0", true, false, false, 0 },
	{ "no warden, ABI 2", true, false, false, 2 },
	{ "no warden, ABI 7", true, false, false, JAIL_ANY_ABI },
	{ "ABI 0", true, false, true, 0 },
	{ "ABI 2", true, false, true, 2 },
	{ "ABI 7", true, false, true, JAIL_ANY_ABI },
	{ "namespaces, ABI 0", true, true, false, 0 },
	{ "namespaces, ABI 2", true, true, false, 2 },
	{ "namespaces, ABI 7", true, true, false, JAIL_ANY_ABI },
};

/* Which of a row's walls stand. */
static int standing(const struct wall *wall)
{
	int abi = landlock_abi(), all = 0;

	if (abi > wall->max_abi)
		abi = wall->max_abi;
	if (wall->jail)
		all |= FILTER | (abi ? LANDLOCK : 0) | (abi >= LANDLOCK_ABI_SCOPES ? SCOPES : 0);
	return all | (wall->namespaces ? NAMES : 0) | (wall->warden ? WARDEN : 0);
}

struct attempt {
	int done;	/* 1: the call was made, 2: the jail could not be entered */
	long ret;
	int errnum;
	char what[60];
};

static void __attribute__((noreturn)) attempt(const struct row *row, const struct wall *wall,
					      struct jail *jail, struct attempt *a)
{
	const char *what = "";
	int ret = 0;

	if (wall->namespaces)
		ret = namespaces_enter(&jail->ns, &what);
	if (wall->jail && ret == 0)
		ret = jail_enter(jail, &what);
	if (ret < 0) {
		snprintf(a->what, sizeof(a->what), "%s: %s", what, strerror(-ret));
		a->done = 2;
		_exit(1);
	}
	errno = 0;
	a->ret = row->call();
	a->errnum = errno;
	a->done = 1;
	_exit(0);
}

/* In a process of its own.  False if the host has no such wall. */
static bool try_row(const struct row *row, const struct wall *wall, struct attempt *a)
{
	cleanup_error struct error e = ERROR_INIT;
	struct jail_path paths[] = { { .fd = w.share_fd, .directory = true, .writable = true },
				     { .fd = w.ro_fd, .directory = true },
				     { .fd = w.bound_fd, .directory = true, .writable = true, .plain = true },
				     { .fd = w.file_fd, .writable = true, .plain = true },
				     { .fd = w.ro_file_fd, .plain = true } };
	struct jail_config cfg = { .paths = paths, .npaths = ARRAY_SIZE(paths),
				   .no_namespaces = !wall->namespaces, .no_warden = !wall->warden,
				   .max_abi = wall->max_abi };
	struct jail jail = JAIL_INIT;
	pid_t pid;

	if (wall->jail)
		ck_ok(jail_prepare(&jail, &cfg, &e), &e);
	memset(a, 0, sizeof(*a));
	pid = wall->namespaces ? (pid_t)syscall(SYS_clone, jail.ns.flags | SIGCHLD, NULL, NULL, NULL, 0) :
				 fork();
	if (pid == 0)
		attempt(row, wall, &jail, a);
	if (pid > 0)
		ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	jail_release(&jail);
	ck_assert_msg(pid > 0 || wall->namespaces, "%s", strerror(errno));
	return pid > 0;
}

START_TEST(hostile_call)
{
	const struct row *row = &rows[_i];
	struct attempt *a = mmap(NULL, sizeof(*a), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				 -1, 0);

	for (size_t i = 0; i < ARRAY_SIZE(walls); i++) {
		const struct wall *wall = &walls[i];

		setup();
		if (!try_row(row, wall, a)) {
			teardown();
			continue;
		}
		ck_assert_msg(a->done == 1, "%s behind %s: %s", row->name, wall->name, a->what);
		if (row->walls & standing(wall))
			ck_assert_msg(a->ret < 0, "%s behind %s: allowed", row->name, wall->name);
		/* a host or a container may lack the call; then nothing can be learnt here */
		else if (a->ret < 0 && !row->walls)
			ck_abort_msg("%s behind %s: %s", row->name, wall->name, strerror(a->errnum));
		else if (a->ret < 0 && a->errnum != ENOSYS && a->errnum != EPERM)
			ck_abort_msg("%s behind %s: %s, though nothing of it should refuse", row->name,
				     wall->name, strerror(a->errnum));
		teardown();
	}
	munmap(a, sizeof(*a));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cage-wall");
	TCase *tc = tcase_create("hostile kernel");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, hostile_call, 0, ARRAY_SIZE(rows));
	suite_add_tcase(s, tc);
	return unit_run(s);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Answers for the kernel's process: see warden.h.
 *
 * What is known of that process is held from the first question on, by descriptors of its /proc
 * folder: they never come to mean another process.  A child of it that asks is answered as if
 * the kernel had asked, which is no more than it can have anyway.
 */
#include "umlcage/cage/warden.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/str.h"

/* Newer than Debian 12's linux/seccomp.h. */
#define NOTIF_SET_FLAGS		SECCOMP_IOW(4, __u64)
#define NOTIF_SYNC_WAKE_UP	(1UL << 0)

/* The kernel's limits of names, attributes and their values (linux/limits.h). */
enum { NAME_BYTES = 256, LINK_BYTES = 4096, ATTR_BYTES = 256, VALUE_BYTES = 65536, PATH_BYTES = 4096 };
enum { WRITABLE_MAX = 128 };

struct keeper {
	int up;			/* to the supervisor: its end means that it is gone */
	int listener;		/* -1: not here yet */
	pid_t kernel;
	int pidfd;		/* of the kernel; -1: not opened yet */
	int memory;		/* /proc/KERNEL/mem */
	int fds;		/* /proc/KERNEL/fd */
	int writable[WRITABLE_MAX];
	size_t nwritable;
};

/* ---- the kernel's process ---- */

static int open_of(pid_t pid, const char *name, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int look_at_kernel(struct keeper *k)
{
	int memory, fds;

	if (k->memory >= 0)
		return 0;
	if (k->pidfd < 0)
		k->pidfd = (int)syscall(SYS_pidfd_open, k->kernel, 0);
	memory = open_of(k->kernel, "mem", O_RDWR);
	fds = memory < 0 ? memory : open_of(k->kernel, "fd", O_PATH | O_DIRECTORY);
	if (k->pidfd < 0 || fds < 0) {
		if (memory >= 0)
			close(memory);
		return -EPERM;
	}
	k->memory = memory;
	k->fds = fds;
	return 0;
}

/* All of @len, or -EFAULT. */
static int get(const struct keeper *k, uint64_t at, void *data, size_t len)
{
	return pread(k->memory, data, len, (off_t)at) == (ssize_t)len ? 0 : -EFAULT;
}

static int put(const struct keeper *k, uint64_t at, const void *data, size_t len)
{
	return pwrite(k->memory, data, len, (off_t)at) == (ssize_t)len ? 0 : -EFAULT;
}

/* A string of less than @size; what lies behind it may not be there. */
static int get_string(const struct keeper *k, uint64_t at, char *text, size_t size)
{
	ssize_t n = pread(k->memory, text, size, (off_t)at);

	if (n <= 0)
		return -EFAULT;
	if (!memchr(text, '\0', (size_t)n))
		return (size_t)n < size ? -EFAULT : -ENAMETOOLONG;
	return 0;
}

/* "N/NAME" beneath k->fds, where N is a descriptor of the kernel's; its name begins at *@slash. */
static int get_name(const struct keeper *k, uint64_t fd, uint64_t at, char *path, size_t size,
		    char **slash)
{
	int n = snprintf(path, size, "%d/", (int)fd), ret;

	if ((int)fd < 0)
		return -EPERM;
	*slash = path + n;
	ret = get_string(k, at, *slash, size - (size_t)n);
	if (ret < 0)
		return ret;
	if (!**slash || strchr(*slash, '/') || strcmp(*slash, "..") == 0 || strcmp(*slash, ".") == 0)
		return -EPERM;
	return 0;
}

/* ---- what may be written ---- */

static int path_of(int fd, char path[PATH_BYTES])
{
	char name[64];
	ssize_t n;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	n = readlink(name, path, PATH_BYTES - 1);
	if (n < 0)
		return -errno;
	path[n] = '\0';
	return *path == '/' ? 0 : -EPERM;
}

/* Of our own, so that it stays what it is: does it lie in what is to be written? */
static int check_writable(const struct keeper *k, int fd)
{
	char path[PATH_BYTES], top[PATH_BYTES];

	if (path_of(fd, path) < 0)
		return -EPERM;
	for (size_t i = 0; i < k->nwritable; i++) {
		size_t n;

		if (path_of(k->writable[i], top) < 0)
			continue;
		n = strlen(top);
		if (strncmp(path, top, n) == 0 && (path[n] == '/' || !path[n] || top[n - 1] == '/'))
			return 0;
	}
	return -EPERM;
}

/* The kernel's descriptor @fd, if it may be changed; to be closed. */
static int take_writable(const struct keeper *k, uint64_t fd)
{
	int ours = (int)syscall(SYS_pidfd_getfd, k->pidfd, (int)fd, 0), ret;

	if (ours < 0)
		return -errno;
	ret = check_writable(k, ours);
	if (ret < 0) {
		close(ours);
		return ret;
	}
	return ours;
}

/* ---- names ---- */

static long answer_statx(const struct keeper *k, const uint64_t *a)
{
	char path[NAME_BYTES + 16], *name;
	struct statx sx;
	int ret = get_name(k, a[0], a[1], path, sizeof(path), &name);

	if (ret < 0)
		return ret;
	memset(&sx, 0, sizeof(sx));
	if (statx(k->fds, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, (unsigned int)a[3] &
		  (STATX_BASIC_STATS | STATX_BTIME), &sx) < 0)
		return -errno;
	return put(k, a[4], &sx, sizeof(sx));
}

/* fstat() of C libraries that ask with an empty name. */
static long answer_newfstatat(const struct keeper *k, const uint64_t *a)
{
	char number[16], name[2];
	struct stat st;
	int ret = get_string(k, a[1], name, 1);

	if (ret < 0 || *name || (int)a[0] < 0)
		return -EPERM;
	snprintf(number, sizeof(number), "%d", (int)a[0]);
	if (fstatat(k->fds, number, &st, 0) < 0)
		return -errno;
	return put(k, a[2], &st, sizeof(st));
}

static long answer_readlinkat(const struct keeper *k, const uint64_t *a)
{
	char path[NAME_BYTES + 16], text[LINK_BYTES], *name;
	size_t size = a[3] < sizeof(text) ? a[3] : sizeof(text);
	int ret = get_name(k, a[0], a[1], path, sizeof(path), &name);
	ssize_t n;

	if (ret < 0)
		return ret;
	n = readlinkat(k->fds, path, text, size);
	if (n < 0)
		return -errno;
	ret = put(k, a[2], text, (size_t)n);
	return ret < 0 ? ret : n;
}

/* @ts: NULL if they are to be the present. */
static int get_times(const struct keeper *k, uint64_t at, struct timespec ts[2],
		     const struct timespec **times)
{
	*times = at ? ts : NULL;
	return at ? get(k, at, ts, 2 * sizeof(*ts)) : 0;
}

static long answer_utimensat(const struct keeper *k, const uint64_t *a)
{
	char path[NAME_BYTES + 16], *name;
	const struct timespec *times;
	struct timespec ts[2];
	int ret = get_times(k, a[2], ts, &times);

	if (ret < 0)
		return ret;
	if (a[1]) {
		ret = get_name(k, a[0], a[1], path, sizeof(path), &name);
		if (ret < 0)
			return ret;
	}

	cleanup_close int fd = take_writable(k, a[0]);

	if (fd < 0)
		return fd;
	if (a[1])
		return utimensat(fd, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	return syscall(SYS_utimensat, fd, NULL, times, 0) < 0 ? -errno : 0;
}

/* ---- attributes of descriptors ---- */

static long answer_fchmod(const struct keeper *k, const uint64_t *a)
{
	cleanup_close int fd = take_writable(k, a[0]);

	if (fd < 0)
		return fd;
	return fchmod(fd, (mode_t)a[1]) < 0 ? -errno : 0;
}

static long answer_fchown(const struct keeper *k, const uint64_t *a)
{
	cleanup_close int fd = take_writable(k, a[0]);

	if (fd < 0)
		return fd;
	return fchown(fd, (uid_t)a[1], (gid_t)a[2]) < 0 ? -errno : 0;
}

static long answer_fsetxattr(const struct keeper *k, const uint64_t *a)
{
	static char value[VALUE_BYTES];
	char name[ATTR_BYTES];
	int ret = a[3] > sizeof(value) ? -E2BIG : get_string(k, a[1], name, sizeof(name));

	if (ret == 0 && a[3])
		ret = get(k, a[2], value, a[3]);
	if (ret < 0)
		return ret;

	cleanup_close int fd = take_writable(k, a[0]);

	if (fd < 0)
		return fd;
	return fsetxattr(fd, name, value, a[3], (int)a[4]) < 0 ? -errno : 0;
}

static long answer_fremovexattr(const struct keeper *k, const uint64_t *a)
{
	char name[ATTR_BYTES];
	int ret = get_string(k, a[1], name, sizeof(name));

	if (ret < 0)
		return ret;

	cleanup_close int fd = take_writable(k, a[0]);

	if (fd < 0)
		return fd;
	return fremovexattr(fd, name) < 0 ? -errno : 0;
}

/* ---- processes ---- */

/* The process @pid, if it is the kernel or a child of it: a pidfd, which stays that process. */
static int take_child(const struct keeper *k, uint64_t pid)
{
	cleanup_close int fd = -1, stat = -1;
	char text[512], *end;
	ssize_t n;

	if ((int)pid <= 0)
		return -EPERM;
	fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	if (fd < 0)
		return -errno;
	if ((pid_t)pid == k->kernel)
		return steal_fd(&fd);
	stat = open_of((pid_t)pid, "stat", O_RDONLY);
	n = stat < 0 ? 0 : read(stat, text, sizeof(text) - 1);
	if (n <= 0)
		return -ESRCH;
	text[n] = '\0';
	/* "PID (NAME) STATE PARENT ...", and a name may have anything in it */
	end = strrchr(text, ')');
	if (!end || strlen(end) < 5 || atoi(end + 4) != k->kernel)
		return -EPERM;
	return steal_fd(&fd);
}

static long answer_kill(const struct keeper *k, const uint64_t *a)
{
	cleanup_close int fd = take_child(k, a[0]);

	if (fd < 0)
		return fd;
	return syscall(SYS_pidfd_send_signal, fd, (int)a[1], NULL, 0) < 0 ? -errno : 0;
}

static long answer_setaffinity(const struct keeper *k, const uint64_t *a)
{
	cleanup_close int fd = take_child(k, a[0]);
	unsigned char mask[1024];
	int ret = fd < 0 ? fd : a[1] > sizeof(mask) ? -EINVAL : get(k, a[2], mask, a[1]);

	if (ret < 0)
		return ret;
	return syscall(SYS_sched_setaffinity, (pid_t)a[0], a[1], mask) < 0 ? -errno : 0;
}

static const struct {
	int nr;
	long (*answer)(const struct keeper *k, const uint64_t *args);
} answers[] = {
	{ SYS_statx, answer_statx },
	{ SYS_newfstatat, answer_newfstatat },
	{ SYS_readlinkat, answer_readlinkat },
	{ SYS_utimensat, answer_utimensat },
	{ SYS_fchmod, answer_fchmod },
	{ SYS_fchown, answer_fchown },
	{ SYS_fsetxattr, answer_fsetxattr },
	{ SYS_fremovexattr, answer_fremovexattr },
	{ SYS_kill, answer_kill },
	{ SYS_sched_setaffinity, answer_setaffinity },
};

/* ---- its life ---- */

/* False: nobody asks any more. */
static bool answer_one(struct keeper *k)
{
	static struct seccomp_notif asked;
	struct seccomp_notif_resp said = { .error = -ENOSYS };
	long ret = -ENOSYS;

	memset(&asked, 0, sizeof(asked));
	if (ioctl(k->listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) < 0)
		return errno == EINTR || errno == ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		if (answers[i].nr == asked.data.nr) {
			uint64_t args[6];

			for (int n = 0; n < 6; n++)
				args[n] = asked.data.args[n];
			ret = look_at_kernel(k);
			if (ret == 0)
				ret = answers[i].answer(k, args);
		}
	said.id = asked.id;
	said.error = ret < 0 ? (int)ret : 0;
	said.val = ret < 0 ? 0 : ret;
	/* it may have been killed meanwhile */
	(void)ioctl(k->listener, SECCOMP_IOCTL_NOTIF_SEND, &said);
	return true;
}

static bool receive_listener(struct keeper *k)
{
	pid_t pid = 0;
	int fd;
	ssize_t n = receive_fd(k->up, &pid, sizeof(pid), 0, &fd);

	if (n == -EINTR)
		return true;
	if (fd < 0 || n != (ssize_t)sizeof(pid) || k->listener >= 0) {
		close_fd(&fd);
		return false;
	}
	k->listener = fd;
	/* since Linux 6.6: one waits for the other anyway, so that they take turns on one processor */
	(void)ioctl(k->listener, NOTIF_SET_FLAGS, NOTIF_SYNC_WAKE_UP);
	k->kernel = pid;
	k->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	return true;
}

/* Everything but its own descriptors goes: it must not keep others' pipes open. */
static void keep_only(struct keeper *k)
{
	int *own[WRITABLE_MAX + 1], top = 3;
	size_t n = 0;

	own[n++] = &k->up;
	for (size_t i = 0; i < k->nwritable; i++)
		own[n++] = &k->writable[i];
	/* to high places first, so that none is overwritten on its way down */
	for (size_t i = 0; i < n; i++)
		*own[i] = fcntl(*own[i], F_DUPFD_CLOEXEC, (int)n + 3);
	for (size_t i = 0; i < n; i++) {
		dup3(*own[i], top, O_CLOEXEC);
		*own[i] = top++;
	}
	(void)close_range((unsigned int)top, ~0U, 0);
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	for (int fd = 0; fd < 3; fd++)
		(void)open("/dev/null", O_RDWR);
}

static void __attribute__((noreturn)) keep(struct keeper *k)
{
	for (;;) {
		struct pollfd p[] = { { .fd = k->up, .events = POLLIN },
				      { .fd = k->listener, .events = POLLIN } };

		if (poll(p, 2, -1) < 0)
			continue;
		/* without its supervisor a cage ends, whatever its kernel would rather */
		if (p[0].revents && !receive_listener(k)) {
			if (k->kernel)
				(void)kill(-k->kernel, SIGKILL);
			if (k->pidfd >= 0)
				(void)syscall(SYS_pidfd_send_signal, k->pidfd, SIGKILL, NULL, 0);
			_exit(0);
		}
		if (p[1].revents & POLLIN) {
			if (!answer_one(k))
				close_fd(&k->listener);
		} else if (p[1].revents) {
			/* nobody is left who could ask, nor anybody to kill */
			close_fd(&k->listener);
			k->kernel = 0;
		}
	}
}

int warden_start(struct warden *w, const int *writable, size_t n, struct error *e)
{
	struct keeper k = { .listener = -1, .pidfd = -1, .memory = -1, .fds = -1 };
	int pair[2];

	if (n > WRITABLE_MAX)
		return err_set(e, E2BIG, "more than %d folders for one cage", WRITABLE_MAX);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "cannot make a socket for the cage's warden");
	w->pid = fork();
	if (w->pid < 0) {
		int errnum = errno;

		w->pid = 0;
		close(pair[0]);
		close(pair[1]);
		return err_sys(e, errnum, "cannot start the cage's warden");
	}
	if (w->pid == 0) {
		/* Ctrl-C is the supervisor's to answer, and its death not ours before the cage's */
		(void)setsid();
		(void)prctl(PR_SET_NAME, "umlcage-warden");
		for (int sig = 1; sig < NSIG; sig++)
			(void)signal(sig, SIG_DFL);
		k.up = pair[0];
		for (size_t i = 0; i < n; i++)
			k.writable[k.nwritable++] = writable[i];
		keep_only(&k);
		keep(&k);
	}
	close(pair[0]);
	w->fd = fd_move_up(pair[1]);
	return 0;
}

int warden_hand_over(const struct warden *w, int listener)
{
	pid_t pid = getpid();

	return send_fd(w->fd, &pid, sizeof(pid), listener);
}

int warden_check(pid_t pid, struct error *e)
{
	cleanup_close int memory = open_of(pid, "mem", O_RDWR);
	cleanup_close int fds = memory < 0 ? -1 : open_of(pid, "fd", O_PATH | O_DIRECTORY);

	if (memory < 0 || fds < 0)
		return err_sys(e, -(memory < 0 ? memory : fds), "cannot look at the kernel's process");
	return 0;
}

void warden_release(struct warden *w)
{
	close_fd(&w->fd);
	if (w->pid)
		while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
			;
	*w = (struct warden)WARDEN_INIT;
}

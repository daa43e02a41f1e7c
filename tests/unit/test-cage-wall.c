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

#include "tests/support/wall-calls.h"

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
	const char *lacks = getenv("UMLCAGE_TEST_LACKS");
	bool no_walls = lacks && strstr(lacks, "filter");

	if (no_walls && _i == 0)
		(void)unit_without("filter", "hostile calls behind walls of filters");
	for (size_t i = 0; i < ARRAY_SIZE(walls) && !no_walls; i++) {
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

// SPDX-License-Identifier: GPL-2.0-or-later
/* The wall around a cage: see jail.h. */
#include "umlcage/cage/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/str.h"
#include "umlcage/cage/syscalls.h"

/* Newer than Debian 12's linux/landlock.h: from the kernel's own documentation. */
#define FS_REFER	(1ULL << 13)	/* ABI 2 */
#define FS_TRUNCATE	(1ULL << 14)	/* ABI 3 */
#define FS_IOCTL_DEV	(1ULL << 15)	/* ABI 5 */
#define NET_BIND_TCP	(1ULL << 0)	/* ABI 4 */
#define NET_CONNECT_TCP	(1ULL << 1)
#define SCOPE_ABSTRACT	(1ULL << 0)	/* ABI 6 */
#define SCOPE_SIGNAL	(1ULL << 1)

struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

static const uint64_t read_file = LANDLOCK_ACCESS_FS_READ_FILE;
static const uint64_t write_file = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
				   FS_TRUNCATE;
static const uint64_t execute = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE;
static const uint64_t read_dir = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
/* no device, no socket: a share has neither on the host */
static const uint64_t write_dir = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
	LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
	LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
	LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM | FS_REFER | FS_TRUNCATE;

int jail_landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi > 0 ? (int)abi : 0;
}

static uint64_t handled_fs(int abi)
{
	uint64_t all = (1ULL << 13) - 1;

	if (abi >= 2)
		all |= FS_REFER;
	if (abi >= 3)
		all |= FS_TRUNCATE;
	if (abi >= 5)
		all |= FS_IOCTL_DEV;
	return all;
}

static int allow(int ruleset, int fd, uint64_t access)
{
	struct landlock_path_beneath_attr attr = { .allowed_access = access, .parent_fd = fd };

	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attr, 0) == 0)
		return 0;
	/* files without a place in any mounted file system are not restricted either */
	return errno == EBADFD || errno == EBADF ? 0 : -errno;
}

static int allow_named(int ruleset, const char *path, uint64_t access)
{
	cleanup_close int fd = open(path, O_PATH | O_CLOEXEC);

	return fd < 0 ? 0 : allow(ruleset, fd, access);
}

/* The kernel is linked dynamically: its libraries, and the few files it reads. */
static const struct { const char *path; bool directory, writable, executable; } places[] = {
	{ "/lib", true, false, true },
	{ "/lib64", true, false, true },
	{ "/usr/lib", true, false, true },
	{ "/usr/lib64", true, false, true },
	{ "/etc/ld.so.cache", false, false, false },
	{ "/proc/cpuinfo", false, false, false },
	{ "/dev/null", false, true, false },
	{ "/dev/ptmx", false, true, false },
	/* the memory of guests on a kernel without memfd_create() support */
	{ "/dev/shm", true, true, true },
};

static int build_ruleset(const struct jail_path *paths, size_t npaths, int abi)
{
	struct ruleset_attr attr = { .handled_access_fs = handled_fs(abi) };
	size_t size = sizeof(attr.handled_access_fs);
	cleanup_close int ruleset = -1;
	int ret = 0;

	if (abi >= 4) {
		attr.handled_access_net = NET_BIND_TCP | NET_CONNECT_TCP;
		size += sizeof(attr.handled_access_net);
	}
	if (abi >= 6) {
		attr.scoped = SCOPE_ABSTRACT | SCOPE_SIGNAL;
		size += sizeof(attr.scoped);
	}
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (ruleset < 0)
		return -errno;
	(void)fcntl(ruleset, F_SETFD, FD_CLOEXEC);
	for (size_t i = 0; ret == 0 && i < npaths; i++) {
		const struct jail_path *p = &paths[i];
		uint64_t access = p->directory ? (p->writable ? write_dir : read_dir) :
				  p->writable ? write_file : read_file;

		if (p->executable)
			access |= execute;
		ret = allow(ruleset, p->fd, access & attr.handled_access_fs);
	}
	for (size_t i = 0; ret == 0 && i < ARRAY_SIZE(places); i++) {
		uint64_t access = places[i].directory ? (places[i].writable ? write_dir : read_dir) :
				  places[i].writable ? write_file : read_file;

		if (places[i].executable)
			access |= execute;
		ret = allow_named(ruleset, places[i].path, access & attr.handled_access_fs);
	}
	return ret < 0 ? ret : steal_fd(&ruleset);
}

int jail_prepare(struct jail *j, const struct jail_path *paths, size_t npaths, bool require,
		 struct progress *progress, struct error *e)
{
	int abi = jail_landlock_abi(), ret;

	j->ruleset = -1;
	j->filter = (struct sock_fprog){ 0 };
	if (abi == 0) {
		static const char text[] = "this host has no Landlock: the cage's kernel could "
					   "open any file that you can";

		if (require)
			return err_set(e, ENOSYS, "%s, and --require-jail was given", text);
		progress_warn(progress, "%s", text);
	} else {
		ret = build_ruleset(paths, npaths, abi);
		if (ret < 0)
			return err_sys(e, -ret, "cannot make the Landlock rules of the cage");
		j->ruleset = ret;
	}
	ret = syscalls_filter(&j->filter, e);
	if (ret < 0 && !require) {
		progress_warn(progress, "%s: the cage's kernel could make any system call",
			      err_text(e));
		err_release(e);
		ret = 0;
	}
	if (ret < 0)
		jail_release(j);
	return ret;
}

uint64_t jail_descriptors(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_max == RLIM_INFINITY)
		return 0;
	return files.rlim_max;
}

int jail_enter(void *arg, const char **what)
{
	struct jail *j = arg;
	struct rlimit files, none = { 0, 0 };
	int ret;

	*what = "set resource limits";
	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return -errno;
	/* each guest process costs the kernel a descriptor */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	/*
	 * The kernel puts its memory behind the heap, and counts all that lies before it as
	 * memory, too.  At a random place, that is up to 1 GB to describe, for nothing.
	 */
	(void)personality(PER_LINUX | ADDR_NO_RANDOMIZE);
	*what = "choose its CPU";
	ret = j->place ? place_apply(j->place) : 0;
	if (ret < 0)
		return ret;
	*what = "give up gaining privileges";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	*what = "enter its Landlock domain";
	if (j->ruleset >= 0 && syscall(SYS_landlock_restrict_self, j->ruleset, 0) < 0)
		return -errno;
	*what = "enter its system call filter";
	if (j->filter.len && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &j->filter) < 0)
		return -errno;
	return 0;
}

void jail_release(struct jail *j)
{
	close_fd(&j->ruleset);
	free(j->filter.filter);
	j->filter = (struct sock_fprog){ 0 };
}

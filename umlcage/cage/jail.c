// SPDX-License-Identifier: GPL-2.0-or-later
/* The wall around a cage: see jail.h. */
#include "umlcage/cage/jail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/landlock.h"
#include "umlcage/base/str.h"
#include "umlcage/cage/syscalls.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)	/* Linux 5.19 */
#endif

static const uint64_t read_file = LANDLOCK_ACCESS_FS_READ_FILE;
static const uint64_t write_file = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
				   LANDLOCK_FS_TRUNCATE;
static const uint64_t execute = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE;
static const uint64_t read_dir = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
/* no device, no socket, no fifo: a share has none on the host */
static const uint64_t write_dir = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
	LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
	LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
	LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_FS_REFER |
	LANDLOCK_FS_TRUNCATE;

/* these two a folder may have that is not a share */
static const uint64_t make_nodes = LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SOCK;

/* The kernel is linked dynamically: its libraries, and the few files it reads. */
static const struct { const char *path; bool directory, writable, executable; } places[] = {
	{ "/lib", true, false, true },
	{ "/lib64", true, false, true },
	{ "/usr/lib", true, false, true },
	{ "/usr/lib64", true, false, true },
	{ "/etc/ld.so.cache", false, false, false },
	{ "/proc/cpuinfo", false, false, false },
	{ "/dev/null", false, true, false },
};

static int allow(int rules, int abi, const struct jail_path *p)
{
	uint64_t access = p->directory ? (p->writable ? write_dir : read_dir) :
			  p->writable ? write_file : read_file;

	/* a single file of the user's is used through its descriptor and no other */
	if (p->plain && !p->directory)
		return 0;
	if (p->plain && p->writable)
		access |= make_nodes;
	return landlock_allow(rules, p->fd, (access | (p->executable ? execute : 0)) & landlock_fs(abi));
}

static int build_ruleset(const struct jail_config *cfg, int abi)
{
	cleanup_close int rules = landlock_new_abi(abi, false);
	int ret = rules < 0 ? rules : 0;

	for (size_t i = 0; ret == 0 && i < cfg->npaths; i++)
		ret = allow(rules, abi, &cfg->paths[i]);
	for (size_t i = 0; ret == 0 && i < ARRAY_SIZE(places); i++) {
		cleanup_close int fd = open(places[i].path, O_PATH | O_CLOEXEC);
		struct jail_path p = { .fd = fd, .directory = places[i].directory,
				       .writable = places[i].writable,
				       .executable = places[i].executable };

		if (fd >= 0)
			ret = allow(rules, abi, &p);
	}
	return ret < 0 ? ret : steal_fd(&rules);
}

/* Something that the host does not have: noted, or an error. */
static int lack(struct jail *j, const struct jail_config *cfg, const char *text, struct error *e)
{
	if (cfg->require != JAIL_REQUIRE_NOTHING)
		return err_set(e, ENOSYS, "%s, and --require-jail was given", text);
	j->lacks[j->nlacks++] = text;
	return 0;
}

/* The ABI of Landlock that this one has. */
static int abi_of(const struct jail_config *cfg)
{
	int abi = landlock_abi();

	return abi > cfg->max_abi ? cfg->max_abi : abi;
}

static int prepare_landlock(struct jail *j, const struct jail_config *cfg, struct error *e)
{
	int abi = abi_of(cfg), ret = 0;

	if (abi == 0 && !j->ns.flags)
		return lack(j, cfg, "this host has neither Landlock nor user namespaces: the cage's kernel "
			    "could open any file that you can", e);
	if (abi == 0 && cfg->require != JAIL_REQUIRE_NOTHING)
		return lack(j, cfg, "this host has no Landlock", e);
	if (abi < LANDLOCK_ABI_SCOPES && !j->ns.flags && cfg->no_warden)
		ret = lack(j, cfg, "this host's Landlock is older than Linux 6.12, and it has no user "
			   "namespaces: the cage's kernel could send signals to your other processes", e);
	if (abi == 0 || ret < 0)
		return ret;
	ret = build_ruleset(cfg, abi);
	if (ret < 0)
		return err_sys(e, -ret, "cannot make the Landlock rules of the cage");
	j->ruleset = fd_move_up(ret);
	return 0;
}

/* What the guest has names in, or may change the attributes of; not the kernel and images. */
static bool is_given(const struct jail_path *p)
{
	return p->directory || p->plain;
}

static int start_warden(struct jail *j, const struct jail_config *cfg, struct error *e)
{
	cleanup_free int *writable = xcalloc(cfg->npaths + 1, sizeof(*writable));
	size_t n = 0;

	for (size_t i = 0; i < cfg->npaths; i++)
		if (is_given(&cfg->paths[i]) && cfg->paths[i].writable)
			writable[n++] = cfg->paths[i].fd;
	return warden_start(&j->warden, writable, n, e);
}

/* Of what was given: is some to be written, and some not? */
static int judge_attributes(const struct jail_config *cfg, bool namespaces, bool warden)
{
	bool written = false, read = false;

	for (size_t i = 0; i < cfg->npaths; i++) {
		written |= is_given(&cfg->paths[i]) && cfg->paths[i].writable;
		read |= is_given(&cfg->paths[i]) && !cfg->paths[i].writable;
	}
	/* these are mounted as what they are */
	if (namespaces || !read)
		return ATTRIBUTES_ALLOWED;
	if (!written)
		return ATTRIBUTES_REFUSED;
	return warden ? ATTRIBUTES_ASKED : ATTRIBUTES_ALLOWED;
}

static int prepare_filter(struct jail *j, const struct jail_config *cfg, struct error *e)
{
	bool namespaces = j->ns.flags != 0, warden = !namespaces && !cfg->no_warden;
	struct syscalls_config filter = {
		.first = namespaces, .warden = warden, .ask_kill = abi_of(cfg) < LANDLOCK_ABI_SCOPES,
		.attributes = judge_attributes(cfg, namespaces, warden),
	};

	if (!syscalls_can_filter())
		return lack(j, cfg, "this host cannot filter system calls (seccomp): the cage's kernel could "
			    "make any", e);
	syscalls_filter(&j->filter, &filter);
	return warden ? start_warden(j, cfg, e) : 0;
}

/* Processes and threads of this user: RLIMIT_NPROC counts them all. */
static uint64_t count_processes(void)
{
	DIR *proc = opendir("/proc");
	uid_t uid = getuid();
	uint64_t n = 0;

	for (const struct dirent *d; proc && (d = readdir(proc)) != NULL;) {
		cleanup_free char *path = NULL;
		struct stat st;

		if (d->d_name[0] < '0' || d->d_name[0] > '9' ||
		    fstatat(dirfd(proc), d->d_name, &st, 0) < 0 || st.st_uid != uid)
			continue;
		path = xasprintf("%s/task", d->d_name);
		/* a folder with one link for itself, one for its name, and one for each thread */
		n += fstatat(dirfd(proc), path, &st, 0) == 0 && st.st_nlink > 2 ? st.st_nlink - 2 : 1;
	}
	if (proc)
		closedir(proc);
	return n;
}

/* What is no limit for the user's other processes: they have their own. */
static void prepare_limits(struct jail *j, const struct jail_config *cfg)
{
	j->file_size = cfg->file_size;
	j->processes = cfg->processes;
	/* a user namespace counts its own */
	if (cfg->processes && !j->ns.flags)
		j->processes += count_processes();
}

int jail_prepare(struct jail *j, const struct jail_config *cfg, struct error *e)
{
	int ret = 0;

	*j = (struct jail)JAIL_INIT;
	j->place = cfg->place;
	if (!cfg->no_namespaces)
		namespaces_prepare(&j->ns);
	prepare_limits(j, cfg);
	for (size_t i = 0; j->ns.flags && ret == 0 && i < cfg->npaths; i++)
		if (cfg->paths[i].directory || cfg->paths[i].plain)
			ret = namespaces_add(&j->ns, cfg->paths[i].fd, !cfg->paths[i].writable, e);
	if (ret == 0)
		ret = prepare_landlock(j, cfg, e);
	if (ret == 0)
		ret = prepare_filter(j, cfg, e);
	if (ret < 0)
		jail_release(j);
	return ret;
}

/* Async-signal-safe. */
static int lower_limit(int which, uint64_t to)
{
	struct rlimit r;

	if (!to || getrlimit(which, &r) < 0 || r.rlim_max <= to)
		return 0;
	r.rlim_cur = r.rlim_max = to;
	return setrlimit(which, &r) < 0 ? -errno : 0;
}

uint64_t jail_descriptors(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_max == RLIM_INFINITY)
		return 0;
	return files.rlim_max;
}

/* Async-signal-safe. */
static int enter_filter(struct jail *j)
{
	unsigned int flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	long listener;

	syscalls_own_pid(&j->filter, getpid());
	if (!j->filter.len)
		return 0;
	if (!j->warden.pid)
		return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &j->filter) < 0 ? -errno : 0;
	/* where only parents may look at a process (Yama), but for who is named */
	(void)prctl(PR_SET_PTRACER, j->warden.pid, 0, 0, 0);
	listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &j->filter);
	/* before Linux 5.19; a signal then makes the call anew */
	if (listener < 0 && errno == EINVAL)
		listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
				   SECCOMP_FILTER_FLAG_NEW_LISTENER, &j->filter);
	return listener < 0 ? -errno : warden_hand_over(&j->warden, (int)listener);
}

int jail_enter(void *arg, const char **what)
{
	struct jail *j = arg;
	struct rlimit files, none = { 0, 0 };
	int ret;

	*what = "set resource limits";
	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return -errno;
	ret = lower_limit(RLIMIT_NPROC, j->processes);
	if (ret == 0)
		ret = lower_limit(RLIMIT_FSIZE, j->file_size);
	if (ret < 0)
		return ret;
	/* a file that would become too large is an error of the guest's, not the kernel's death */
	if (j->file_size)
		(void)signal(SIGXFSZ, SIG_IGN);
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
	/* new files have the mode that the guest gives them */
	(void)umask(0);
	*what = "choose its CPU";
	ret = j->place ? place_apply(j->place) : 0;
	if (ret < 0)
		return ret;
	*what = "give up gaining privileges";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	*what = "enter its Landlock domain";
	ret = j->ruleset >= 0 ? landlock_enter(j->ruleset) : 0;
	if (ret < 0)
		return ret;
	*what = "enter its system call filter";
	return enter_filter(j);
}

void jail_release(struct jail *j)
{
	close_fd(&j->ruleset);
	free(j->filter.filter);
	namespaces_release(&j->ns);
	warden_release(&j->warden);
	*j = (struct jail)JAIL_INIT;
}

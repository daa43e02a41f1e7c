// SPDX-License-Identifier: GPL-2.0-or-later
/* Giving up what foreign bytes must not come to use: see confine.h. */
#include "umlcage/base/confine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "umlcage/base/callfilter.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/landlock.h"
#include "umlcage/base/str.h"

/* the address and thread sanitizers reserve terabytes of address space and start a thread */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif
#else
enum { SANITIZED = 0 };
#endif

static const uint64_t read_file = LANDLOCK_ACCESS_FS_READ_FILE;
static const uint64_t read_dir = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
static const uint64_t write_file = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
				   LANDLOCK_FS_TRUNCATE;
static const uint64_t write_dir = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
	LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
	LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
	LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_FS_REFER |
	LANDLOCK_FS_TRUNCATE;

/* ---- system calls ---- */

static const int basic[] = {
	SYS_read, SYS_readv, SYS_pread64, SYS_preadv, SYS_write, SYS_writev, SYS_lseek,
	SYS_close, SYS_fstat, SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise, SYS_futex, SYS_rseq,
	SYS_set_robust_list, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn,
	SYS_sigaltstack, SYS_restart_syscall, SYS_clock_gettime, SYS_clock_getres,
	SYS_gettimeofday, SYS_time, SYS_getrandom, SYS_getpid, SYS_gettid, SYS_getrusage,
	SYS_sched_yield, SYS_sysinfo, SYS_uname, SYS_exit, SYS_exit_group,
};

static void add_basic(struct callfilter *f)
{
	static const int commands[] = { F_GETFD, F_SETFD, F_GETFL };

	for (size_t i = 0; i < ARRAY_SIZE(basic); i++)
		callfilter_add(f, SECCOMP_RET_ALLOW, basic[i]);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		callfilter_add1(f, SECCOMP_RET_ALLOW, SYS_fcntl, CALL_IS(1, commands[i]));
	callfilter_add1(f, SECCOMP_RET_ALLOW, SYS_mmap, CALL_MASKED(2, PROT_EXEC, 0));
	callfilter_add1(f, SECCOMP_RET_ALLOW, SYS_mprotect, CALL_MASKED(2, PROT_EXEC, 0));
	/* fstat() of newer C libraries */
	callfilter_add1(f, SECCOMP_RET_ALLOW, SYS_newfstatat,
			CALL_MASKED(3, AT_EMPTY_PATH, AT_EMPTY_PATH));
	/* abort() */
	callfilter_add1(f, SECCOMP_RET_ALLOW, SYS_tgkill, CALL_IS(0, getpid()));
}

static void add_calls(struct callfilter *f, const struct confine *c)
{
	for (size_t i = 0; i < c->ncalls; i++) {
		const struct confine_call *call = &c->calls[i];

		if (call->arg == CONFINE_ANY)
			callfilter_add(f, SECCOMP_RET_ALLOW, call->nr);
		else
			callfilter_add1(f, SECCOMP_RET_ALLOW, call->nr,
					CALL_IS((unsigned int)call->arg, call->value));
	}
}

static void make_filter(const struct confine *c, struct strbuf *code)
{
	struct callfilter f = CALLFILTER_INIT;

	add_basic(&f);
	add_calls(&f, c);
	callfilter_make(&f, SECCOMP_RET_ERRNO | ENOSYS, SECCOMP_RET_KILL_PROCESS, code);
	callfilter_release(&f);
}

/* ---- files ---- */

/* 1: the host has no Landlock. */
static int enter_landlock(const struct confine *c, struct error *e)
{
	cleanup_close int ruleset = landlock_new(c->network);
	int ret = 0;

	if (ruleset < 0)
		return 1;
	for (size_t i = 0; i < c->npaths && ret == 0; i++) {
		const struct confine_path *p = &c->paths[i];

		ret = landlock_allow(ruleset, p->fd, p->directory ?
				     (p->writable ? write_dir : read_dir) :
				     (p->writable ? write_file : read_file));
	}
	if (ret == 0)
		ret = landlock_enter(ruleset);
	return ret < 0 ? err_sys(e, -ret, "cannot enter a Landlock domain") : 0;
}

/* ---- limits ---- */

/* Never above what the user has.  Of the CPU's the soft one comes first: its signal says why. */
static int limit(int what, rlim_t to, struct error *e)
{
	struct rlimit r;
	rlim_t more = what == RLIMIT_CPU;

	if (getrlimit((__rlimit_resource_t)what, &r) < 0)
		return err_sys(e, errno, "cannot read a resource limit");
	if (r.rlim_max != RLIM_INFINITY && r.rlim_max < to + more)
		to = r.rlim_max - (r.rlim_max > more ? more : 0);
	r.rlim_cur = to;
	r.rlim_max = to + more;
	if (setrlimit((__rlimit_resource_t)what, &r) < 0)
		return err_sys(e, errno, "cannot set a resource limit");
	return 0;
}

static rlim_t address_space(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f)
		return 0;
	if (fscanf(f, "%lu", &pages) != 1)
		pages = 0;
	fclose(f);
	return pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static rlim_t highest_descriptor(void)
{
	DIR *d = opendir("/proc/self/fd");
	rlim_t top = 2;

	for (const struct dirent *de; d && (de = readdir(d));) {
		rlim_t fd = strtoul(de->d_name, NULL, 10);

		if (fd > top && fd != (rlim_t)dirfd(d))
			top = fd;
	}
	if (d)
		closedir(d);
	return top;
}

static bool may_call(const struct confine *c, int nr)
{
	for (size_t i = 0; i < c->ncalls; i++)
		if (c->calls[i].nr == nr)
			return true;
	return false;
}

static int set_limits(const struct confine *c, struct error *e)
{
	int ret = limit(RLIMIT_CORE, 0, e);

	if (ret == 0 && !SANITIZED && !may_call(c, SYS_clone))
		ret = limit(RLIMIT_NPROC, 0, e);
	if (ret == 0 && !c->files)
		ret = limit(RLIMIT_FSIZE, 0, e);
	if (ret == 0 && c->cpu_seconds)
		ret = limit(RLIMIT_CPU, c->cpu_seconds, e);
	if (ret == 0)
		ret = limit(RLIMIT_NOFILE, highest_descriptor() + 1 + c->descriptors, e);
	if (ret == 0 && c->memory && !SANITIZED)
		ret = limit(RLIMIT_AS, address_space() + c->memory, e);
	return ret;
}

int confine_enter(const struct confine *c, struct error *e)
{
	cleanup_strbuf struct strbuf code = STRBUF_INIT;
	int landlock, ret;

	make_filter(c, &code);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, errno, "cannot give up gaining privileges");
	landlock = enter_landlock(c, e);
	if (landlock < 0)
		return landlock;
	ret = set_limits(c, e);
	if (ret < 0)
		return ret;
	return (landlock ? CONFINE_NO_LANDLOCK : 0) | (callfilter_enter(&code) < 0 ? CONFINE_NO_FILTER : 0);
}

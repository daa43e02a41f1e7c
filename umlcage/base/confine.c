// SPDX-License-Identifier: GPL-2.0-or-later
/* Giving up what foreign bytes must not come to use: see confine.h. */
#include "umlcage/base/confine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

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

enum { FILTER_MAX = 65535 * sizeof(struct sock_filter), FILTER_SECONDS = 5 };

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

static const char *const basic[] = {
	"read", "readv", "pread64", "preadv", "write", "writev", "lseek", "close", "fstat",
	"brk", "munmap", "mremap", "madvise", "futex", "rseq", "set_robust_list",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall",
	"clock_gettime", "clock_getres", "gettimeofday", "time", "getrandom", "getpid", "gettid",
	"getrusage", "sched_yield", "sysinfo", "uname", "exit", "exit_group",
};

static int allow(scmp_filter_ctx ctx, const char *name, const struct scmp_arg_cmp *cmp)
{
	int nr = seccomp_syscall_resolve_name(name);

	/* a name this libseccomp does not know yet, or that this machine has no call of */
	if (nr == __NR_SCMP_ERROR || nr < 0)
		return 0;
	return cmp ? seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, nr, 1, cmp) :
		     seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, nr, 0, NULL);
}

static int add_basic(scmp_filter_ctx ctx)
{
	static const int commands[] = { F_GETFD, F_SETFD, F_GETFL };
	const struct scmp_arg_cmp not_executable = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	/* fstat() of newer C libraries */
	const struct scmp_arg_cmp of_fd = SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH);
	/* abort() */
	const struct scmp_arg_cmp self = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid());
	int ret = 0;

	for (size_t i = 0; i < ARRAY_SIZE(basic) && ret == 0; i++)
		ret = allow(ctx, basic[i], NULL);
	for (size_t i = 0; i < ARRAY_SIZE(commands) && ret == 0; i++) {
		const struct scmp_arg_cmp is = SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)commands[i]);

		ret = allow(ctx, "fcntl", &is);
	}
	if (ret == 0)
		ret = allow(ctx, "mmap", &not_executable);
	if (ret == 0)
		ret = allow(ctx, "mprotect", &not_executable);
	if (ret == 0)
		ret = allow(ctx, "newfstatat", &of_fd);
	return ret ? ret : allow(ctx, "tgkill", &self);
}

static int add_calls(scmp_filter_ctx ctx, const struct confine *c)
{
	int ret = 0;

	for (size_t i = 0; i < c->ncalls && ret == 0; i++) {
		const struct confine_call *call = &c->calls[i];
		const struct scmp_arg_cmp is = { (unsigned int)call->arg, SCMP_CMP_EQ, call->value,
						 0 };

		ret = allow(ctx, call->name, call->arg < 0 ? NULL : &is);
	}
	return ret;
}

/* The library does not look at what write() says. */
static bool is_whole(const struct strbuf *code)
{
	const struct sock_filter *f = (const void *)code->s;
	size_t n = code->len / sizeof(*f);

	return n && code->len % sizeof(*f) == 0 && BPF_CLASS(f[n - 1].code) == BPF_RET;
}

int confine_export(void *filter, struct strbuf *code)
{
	cleanup_close int fd = memfd_create("filter", MFD_CLOEXEC);
	int ret = fd < 0 ? -errno : seccomp_export_bpf(filter, fd);

	if (ret == 0 && lseek(fd, 0, SEEK_SET) < 0)
		ret = -errno;
	if (ret == 0)
		ret = fd_read_all(fd, FILTER_MAX, code);
	return ret < 0 ? ret : is_whole(code) ? 0 : -EIO;
}

/* The filter as the kernel takes it, in @code. */
static int compile(const struct confine *c, struct strbuf *code)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int ret;

	if (!ctx)
		return -ENOMEM;
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	ret = add_basic(ctx);
	if (ret == 0)
		ret = add_calls(ctx, c);
	if (ret == 0)
		ret = confine_export(ctx, code);
	seccomp_release(ctx);
	return ret;
}

static void no_end(int sig)
{
	(void)sig;
	/* it came amid the library's work, which may hold a lock that cleaning up waits for */
	(void)signal(SIGALRM, SIG_DFL);
	(void)alarm(FILTER_SECONDS);
	memory_end("umlcage: out of memory: a system call filter cannot be made\n");
}

void confine_guard(bool on)
{
	const struct itimerval end = { .it_value = { on ? FILTER_SECONDS : 0, 0 } };
	struct sigaction sa = { .sa_handler = on ? no_end : SIG_DFL };

	(void)setitimer(ITIMER_PROF, &end, NULL);
	(void)sigaction(SIGPROF, &sa, NULL);
}

static int make_filter(const struct confine *c, struct strbuf *code, struct error *e)
{
	int ret;

	confine_guard(true);
	ret = compile(c, code);
	confine_guard(false);
	return ret < 0 ? err_sys(e, -ret, "cannot make a system call filter") : 0;
}

/* 1: the host has no such filters. */
static int enter_filter(const struct strbuf *code)
{
	const struct sock_fprog prog = {
		.len = (unsigned short)(code->len / sizeof(struct sock_filter)),
		.filter = (void *)code->s,
	};

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0;
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

static bool may_call(const struct confine *c, const char *name)
{
	for (size_t i = 0; i < c->ncalls; i++)
		if (str_eq(c->calls[i].name, name))
			return true;
	return false;
}

static int set_limits(const struct confine *c, struct error *e)
{
	int ret = limit(RLIMIT_CORE, 0, e);

	if (ret == 0 && !SANITIZED && !may_call(c, "clone"))
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
	int landlock, filter, ret = make_filter(c, &code, e);

	if (ret < 0)
		return ret;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, errno, "cannot give up gaining privileges");
	landlock = enter_landlock(c, e);
	if (landlock < 0)
		return landlock;
	ret = set_limits(c, e);
	if (ret < 0)
		return ret;
	filter = enter_filter(&code);
	return (landlock ? CONFINE_NO_LANDLOCK : 0) | (filter ? CONFINE_NO_FILTER : 0);
}

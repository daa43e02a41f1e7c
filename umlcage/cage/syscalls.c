// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The system calls of a UML kernel and its stub processes, as a seccomp filter
 * made by libseccomp.  Anything else fails with ENOSYS and does not kill: the
 * stubs carry a filter of their own that traps guest system calls, and of two
 * filters' answers SECCOMP_RET_TRAP goes before SECCOMP_RET_ERRNO (seccomp(2)).
 *
 * Where a call is allowed for some of its arguments only, they are those that
 * arch/um of the kernel and the C library below it use.  A filter sees numbers and
 * no memory, so what paths and structures name is left to Landlock (jail.c), and to
 * the kinds of sockets that can be had here: pairs that are connected, on which a
 * destination means nothing (unix(7)).
 */
#include "umlcage/cage/syscalls.h"

#include <asm/prctl.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "umlcage/base/confine.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/str.h"

static const char *const allowed[] = {
	/* memory */
	"brk", "mmap", "munmap", "mprotect", "mremap", "memfd_create",
	/* descriptors the cage was given, and what humfs and the block driver do with them */
	"read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2",
	"pwritev2", "lseek", "close", "close_range", "dup", "dup2", "dup3", "pipe",
	"pipe2", "poll", "ppoll", "select", "pselect6", "epoll_create", "epoll_create1",
	"epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd2", "signalfd4", "ftruncate",
	"fallocate", "fsync", "fdatasync", "sync_file_range", "syncfs", "copy_file_range",
	"fadvise64", "readahead", "flock",
	"fstat", "fstatfs", "getdents64", "fgetxattr", "flistxattr",
	/* by name, but Landlock's to judge: opening without O_PATH (below) is; this makes and
	   takes away entries of directories */
	"mkdirat", "unlinkat", "renameat", "renameat2", "linkat", "symlinkat",
	"mkdir",	/* a folder for its management console, until it finds that it cannot */
	/* sockets it was given or made as pairs: nothing here makes another, connects or binds */
	"recvmsg", "recvmmsg", "sendmsg", "sendmmsg", "recvfrom", "getsockopt", "getsockname",
	"getpeername", "shutdown",
	/* processes and threads: stubs are cloned, executed from a memory file, controlled */
	"exit", "exit_group", "wait4", "waitid", "set_tid_address", "set_robust_list",
	"rseq", "futex", "sched_yield", "getpid", "gettid",
	"getppid", "getuid", "geteuid", "getgid", "getegid", "getcpu",
	/* signals and time */
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigsuspend",
	"rt_sigtimedwait", "sigaltstack", "pause", "restart_syscall", "nanosleep",
	"clock_nanosleep", "clock_gettime", "clock_getres", "gettimeofday", "time",
	"timer_create", "timer_settime", "timer_gettime", "timer_delete", "timer_getoverrun",
	"setitimer", "getitimer", "timerfd_create", "timerfd_settime", "timerfd_gettime",
	/* the rest */
	"uname", "sysinfo", "getrlimit", "setrlimit", "getrusage", "getrandom", "mlock", "munlock",
	"membarrier",
};

/* Every namespace, and children that are somebody else's (clone(2)). */
#define CLONE_REFUSED	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | \
			 CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_PTRACE | CLONE_PARENT)

/* The one argument that says what a call does, and its values. */
static const struct operations {
	const char *name;
	unsigned int arg;
	unsigned int n;
	uint64_t values[20];
} operations[] = {
	{ "madvise", 2, 9, { MADV_NORMAL, MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_DONTFORK,
			     MADV_HUGEPAGE, MADV_DONTDUMP, MADV_POPULATE_WRITE,
			     102 /* MADV_GUARD_INSTALL: stacks of threads in glibc 2.42 */ } },
	{ "prctl", 0, 3, { PR_SET_NAME, PR_SET_NO_NEW_PRIVS, PR_SET_VMA } },
	{ "arch_prctl", 0, 4, { ARCH_SET_FS, ARCH_GET_FS, ARCH_SET_GS, ARCH_GET_GS } },
	{ "fcntl", 1, 10, { F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_SETLK,
			    F_GETLK, F_SETSIG, F_ADD_SEALS } },
	/* is it a terminal, and how large; how large is a disk */
	{ "ioctl", 1, 4, { TCGETS, TIOCGWINSZ, BLKGETSIZE, BLKGETSIZE64 } },
	{ "seccomp", 0, 1, { SECCOMP_SET_MODE_FILTER } },
	/* of a child that asked for it; nobody else can be attached to */
	{ "ptrace", 0, 15, { PTRACE_TRACEME, PTRACE_PEEKTEXT, PTRACE_PEEKDATA, PTRACE_PEEKUSER,
			     PTRACE_POKEUSER, PTRACE_CONT, PTRACE_KILL, PTRACE_SINGLESTEP,
			     PTRACE_GETREGS, PTRACE_SETREGS, PTRACE_SYSCALL, PTRACE_SETOPTIONS,
			     PTRACE_GETSIGINFO, PTRACE_GETREGSET, PTRACE_SETREGSET } },
	{ "ptrace", 0, 2, { PTRACE_SYSEMU, PTRACE_SYSEMU_SINGLESTEP } },
	/* limits of itself */
	{ "prlimit64", 0, 1, { 0 } },
	/* to whom it is connected */
	{ "sendto", 4, 1, { 0 } },
	/* a descriptor, not a name */
	{ "execveat", 4, 1, { AT_EMPTY_PATH } },
	{ "tgkill", 0, 1, { SYSCALLS_OWN_PID } },
	/* of itself */
	{ "sched_getaffinity", 0, 1, { 0 } },
	{ "sched_setaffinity", 0, 1, { 0 } },
	/* of a descriptor */
	{ "statx", 1, 1, { 0 } },
};

/* What mknodat may make: no device, which root of the host could. */
static const unsigned int nodes[] = { S_IFIFO, S_IFSOCK };

/* To itself, its process group, and stubs. */
static const int signals[] = { SIGALRM, SIGKILL, SIGIO, SIGSTOP, SIGTERM, SIGCONT, SIGABRT };

static int add_operations(scmp_filter_ctx ctx)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < ARRAY_SIZE(operations); i++) {
		const struct operations *o = &operations[i];
		int nr = seccomp_syscall_resolve_name(o->name);

		for (unsigned int k = 0; ret == 0 && k < o->n; k++)
			ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1,
					       SCMP_CMP64(o->arg, SCMP_CMP_EQ, o->values[k]));
	}
	return ret;
}

/*
 * What is by name, for which no number says more, and what is of processes that no filter knows:
 * stubs.  Where there is a warden, it is asked; where there are namespaces, none of it reaches
 * anything; otherwise it is as it is, see doc/SECURITY.
 */
static int add_unjudged(scmp_filter_ctx ctx, const struct syscalls_config *cfg)
{
	static const char *const attributes[] = { "fchmod", "fsetxattr", "fremovexattr" };
	uint32_t other = cfg->warden ? SCMP_ACT_NOTIFY : SCMP_ACT_ALLOW;
	uint32_t own = cfg->attributes == ATTRIBUTES_ASKED ? SCMP_ACT_NOTIFY : SCMP_ACT_ALLOW;
	/* of what cannot be opened, links: what there is of it; see humfs_user.c */
	int ret = seccomp_rule_add(ctx, other, SCMP_SYS(statx), 1,
				   SCMP_A2_64(SCMP_CMP_EQ, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT));

	if (ret == 0)
		ret = seccomp_rule_add(ctx, other, SCMP_SYS(readlinkat), 0);
	/* fstat() of C libraries, and of the loader: of a descriptor, with an empty name */
	if (ret == 0)
		ret = seccomp_rule_add(ctx, other, SCMP_SYS(newfstatat), 1,
				       SCMP_A3_64(SCMP_CMP_EQ, AT_EMPTY_PATH));
	if (ret == 0)
		ret = seccomp_rule_add(ctx, other, SCMP_SYS(sched_setaffinity), 1,
				       SCMP_A0_64(SCMP_CMP_NE, 0));
	if (ret < 0 || cfg->attributes == ATTRIBUTES_REFUSED)
		return ret;
	ret = seccomp_rule_add(ctx, other, SCMP_SYS(utimensat), 1,
			       SCMP_A3_64(SCMP_CMP_EQ, AT_SYMLINK_NOFOLLOW));
	if (ret == 0)
		ret = seccomp_rule_add(ctx, own, SCMP_SYS(utimensat), 2,
				       SCMP_A1_64(SCMP_CMP_EQ, 0), SCMP_A3_64(SCMP_CMP_EQ, 0));
	for (size_t i = 0; ret == 0 && i < ARRAY_SIZE(attributes); i++)
		ret = seccomp_rule_add(ctx, own, seccomp_syscall_resolve_name(attributes[i]), 0);
	/* nobody but root can give files away; for all others the kernel does not ask */
	if (ret == 0 && geteuid() == 0)
		ret = seccomp_rule_add(ctx, own, SCMP_SYS(fchown), 0);
	return ret;
}

static int add_signals(scmp_filter_ctx ctx, const struct syscalls_config *cfg)
{
	uint32_t action = cfg->warden && cfg->ask_kill ? SCMP_ACT_NOTIFY : SCMP_ACT_ALLOW;
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < ARRAY_SIZE(signals); i++) {
		/*
		 * The first process of a PID namespace does not die of its own signals.  The
		 * kernel sends itself this one until it does, and exits if it cannot.
		 */
		if (cfg->first && signals[i] == SIGABRT)
			continue;
		/* a process, or 0 for its own group: no other group, and not everybody */
		ret = seccomp_rule_add(ctx, action, SCMP_SYS(kill), 2,
				       SCMP_A0_64(SCMP_CMP_MASKED_EQ, 0x80000000, 0),
				       SCMP_A1_64(SCMP_CMP_EQ, (uint64_t)signals[i]));
	}
	return ret;
}

static int add_combinations(scmp_filter_ctx ctx)
{
	static const int pairs[] = { SOCK_STREAM, SOCK_SEQPACKET };
	int ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				   SCMP_A0_64(SCMP_CMP_MASKED_EQ, CLONE_REFUSED, 0));

	for (size_t i = 0; ret == 0 && i < ARRAY_SIZE(pairs); i++)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 2,
				       SCMP_A0_64(SCMP_CMP_EQ, AF_UNIX),
				       SCMP_A1_64(SCMP_CMP_MASKED_EQ, 0xf, (uint64_t)pairs[i]));
	for (size_t i = 0; ret == 0 && i < ARRAY_SIZE(nodes); i++)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mknodat), 1,
				       SCMP_A2_64(SCMP_CMP_MASKED_EQ, S_IFMT, nodes[i]));
	/* O_PATH would open what Landlock is not asked about */
	if (ret == 0)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
				       SCMP_A2_64(SCMP_CMP_MASKED_EQ, O_PATH, 0));
	if (ret == 0)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 2,
				       SCMP_A1_64(SCMP_CMP_EQ, F_SETOWN),
				       SCMP_A2_64(SCMP_CMP_EQ, SYSCALLS_OWN_PID));
	/* that it dies with its parent, and not that it does not */
	if (ret == 0)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 2,
				       SCMP_A0_64(SCMP_CMP_EQ, PR_SET_PDEATHSIG),
				       SCMP_A1_64(SCMP_CMP_EQ, SIGKILL));
	return ret;
}

static int fill(scmp_filter_ctx ctx, const struct syscalls_config *cfg)
{
	int ret = 0;

	/* not death, either, for 32-bit calls: what its processes do is for the kernel to answer */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
	/* a binary tree instead of a list: the filter runs on every call */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; ret == 0 && i < ARRAY_SIZE(allowed); i++) {
		int nr = seccomp_syscall_resolve_name(allowed[i]);

		/* a name this libseccomp does not know yet is a call it cannot filter */
		if (nr != __NR_SCMP_ERROR)
			ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
	}
	if (ret == 0)
		ret = add_operations(ctx);
	if (ret == 0)
		ret = add_unjudged(ctx, cfg);
	if (ret == 0)
		ret = add_signals(ctx, cfg);
	return ret < 0 ? ret : add_combinations(ctx);
}

int syscalls_filter(struct sock_fprog *prog, const struct syscalls_config *cfg, struct error *e)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	cleanup_strbuf struct strbuf code = STRBUF_INIT;
	int ret;

	*prog = (struct sock_fprog){ 0 };
	if (!ctx)
		return err_set(e, ENOMEM, "cannot make the system call filter");
	confine_guard(true);
	ret = fill(ctx, cfg);
	if (ret == 0)
		ret = confine_export(ctx, &code);
	confine_guard(false);
	seccomp_release(ctx);
	if (ret < 0)
		return err_sys(e, -ret, "cannot make the system call filter");
	prog->len = (unsigned short)(code.len / sizeof(struct sock_filter));
	prog->filter = (struct sock_filter *)(void *)sb_steal(&code);
	return 0;
}

bool syscalls_can_filter(void)
{
	const uint32_t action = SECCOMP_RET_ERRNO;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

void syscalls_own_pid(struct sock_fprog *prog, pid_t pid)
{
	for (unsigned int i = 0; i < prog->len; i++)
		if (BPF_CLASS(prog->filter[i].code) == BPF_JMP &&
		    prog->filter[i].k == SYSCALLS_OWN_PID)
			prog->filter[i].k = (uint32_t)pid;
}

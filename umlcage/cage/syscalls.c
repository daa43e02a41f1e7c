// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The system calls of a UML kernel and its stub processes, as a seccomp filter.
 * Anything else fails with ENOSYS and does not kill: the
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

#include "umlcage/base/callfilter.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/str.h"

static const int allowed[] = {
	/* memory */
	SYS_brk, SYS_mmap, SYS_munmap, SYS_mprotect, SYS_mremap, SYS_memfd_create,
	/* descriptors the cage was given, and what humfs and the block driver do with them */
	SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pread64, SYS_pwrite64, SYS_preadv,
	SYS_pwritev, SYS_preadv2, SYS_pwritev2, SYS_lseek, SYS_close, SYS_close_range, SYS_dup,
	SYS_dup2, SYS_dup3, SYS_pipe, SYS_pipe2, SYS_poll, SYS_ppoll, SYS_select, SYS_pselect6,
	SYS_epoll_create, SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_wait, SYS_epoll_pwait,
	SYS_epoll_pwait2, SYS_eventfd2, SYS_signalfd4, SYS_ftruncate, SYS_fallocate, SYS_fsync,
	SYS_fdatasync, SYS_sync_file_range, SYS_syncfs, SYS_copy_file_range, SYS_fadvise64,
	SYS_readahead, SYS_flock, SYS_fstat, SYS_fstatfs, SYS_getdents64, SYS_fgetxattr,
	SYS_flistxattr,
	/* by name, but Landlock's to judge: opening without O_PATH (below) is; this makes and
	   takes away entries of directories */
	SYS_mkdirat, SYS_unlinkat, SYS_renameat, SYS_renameat2, SYS_linkat, SYS_symlinkat,
	SYS_mkdir,	/* a folder for its management console, until it finds that it cannot */
	/* sockets it was given or made as pairs: nothing here makes another, connects or binds */
	SYS_recvmsg, SYS_recvmmsg, SYS_sendmsg, SYS_sendmmsg, SYS_recvfrom, SYS_getsockopt,
	SYS_getsockname, SYS_getpeername, SYS_shutdown,
	/* processes and threads: stubs are cloned, executed from a memory file, controlled */
	SYS_exit, SYS_exit_group, SYS_wait4, SYS_waitid, SYS_set_tid_address,
	SYS_set_robust_list, SYS_rseq, SYS_futex, SYS_sched_yield, SYS_getpid, SYS_gettid,
	SYS_getppid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_getcpu,
	/* signals and time */
	SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigpending,
	SYS_rt_sigsuspend, SYS_rt_sigtimedwait, SYS_sigaltstack, SYS_pause, SYS_restart_syscall,
	SYS_nanosleep, SYS_clock_nanosleep, SYS_clock_gettime, SYS_clock_getres,
	SYS_gettimeofday, SYS_time, SYS_timer_create, SYS_timer_settime, SYS_timer_gettime,
	SYS_timer_delete, SYS_timer_getoverrun, SYS_setitimer, SYS_getitimer,
	SYS_timerfd_create, SYS_timerfd_settime, SYS_timerfd_gettime,
	/* the rest */
	SYS_uname, SYS_sysinfo, SYS_getrlimit, SYS_setrlimit, SYS_getrusage, SYS_getrandom,
	SYS_mlock, SYS_munlock, SYS_membarrier,
};

/* Every namespace, and children that are somebody else's (clone(2)). */
#define CLONE_REFUSED	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | \
			 CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_PTRACE | CLONE_PARENT)

/* The one argument that says what a call does, and its values. */
static const struct operations {
	int nr;
	unsigned int arg;
	unsigned int n;
	uint64_t values[20];
} operations[] = {
	{ SYS_madvise, 2, 10, { MADV_NORMAL, MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_DONTFORK,
			     MADV_HUGEPAGE, MADV_DONTDUMP, MADV_POPULATE_WRITE, 25 /* MADV_COLLAPSE */,
			     102 /* MADV_GUARD_INSTALL: stacks of threads in glibc 2.42 */ } },
	{ SYS_prctl, 0, 3, { PR_SET_NAME, PR_SET_NO_NEW_PRIVS, PR_SET_VMA } },
	{ SYS_arch_prctl, 0, 4, { ARCH_SET_FS, ARCH_GET_FS, ARCH_SET_GS, ARCH_GET_GS } },
	{ SYS_fcntl, 1, 10, { F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_SETLK,
			    F_GETLK, F_SETSIG, F_ADD_SEALS } },
	/* is it a terminal, and how large; how large is a disk */
	{ SYS_ioctl, 1, 4, { TCGETS, TIOCGWINSZ, BLKGETSIZE, BLKGETSIZE64 } },
	{ SYS_seccomp, 0, 1, { SECCOMP_SET_MODE_FILTER } },
	/* of a child that asked for it; nobody else can be attached to */
	{ SYS_ptrace, 0, 15, { PTRACE_TRACEME, PTRACE_PEEKTEXT, PTRACE_PEEKDATA, PTRACE_PEEKUSER,
			     PTRACE_POKEUSER, PTRACE_CONT, PTRACE_KILL, PTRACE_SINGLESTEP,
			     PTRACE_GETREGS, PTRACE_SETREGS, PTRACE_SYSCALL, PTRACE_SETOPTIONS,
			     PTRACE_GETSIGINFO, PTRACE_GETREGSET, PTRACE_SETREGSET } },
	{ SYS_ptrace, 0, 2, { PTRACE_SYSEMU, PTRACE_SYSEMU_SINGLESTEP } },
	/* limits of itself */
	{ SYS_prlimit64, 0, 1, { 0 } },
	/* to whom it is connected */
	{ SYS_sendto, 4, 1, { 0 } },
	/* a descriptor, not a name */
	{ SYS_execveat, 4, 1, { AT_EMPTY_PATH } },
	{ SYS_tgkill, 0, 1, { SYSCALLS_OWN_PID } },
	/* of itself */
	{ SYS_sched_getaffinity, 0, 1, { 0 } },
	{ SYS_sched_setaffinity, 0, 1, { 0 } },
	/* of a descriptor */
	{ SYS_statx, 1, 1, { 0 } },
};

/* What mknodat may make: no device, which root of the host could. */
static const unsigned int nodes[] = { S_IFIFO, S_IFSOCK };

/* To itself, its process group, and stubs. */
static const int signals[] = { SIGALRM, SIGKILL, SIGIO, SIGSTOP, SIGTERM, SIGCONT, SIGABRT };

static void add_operations(struct callfilter *f)
{
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		for (unsigned int k = 0; k < operations[i].n; k++)
			callfilter_add1(f, SECCOMP_RET_ALLOW, operations[i].nr,
					CALL_IS(operations[i].arg, operations[i].values[k]));
}

/*
 * What is by name, for which no number says more, and what is of processes that no filter knows:
 * stubs.  Where there is a warden, it is asked; where there are namespaces, none of it reaches
 * anything; otherwise it is as it is, see doc/SECURITY.
 */
static void add_unjudged(struct callfilter *f, const struct syscalls_config *cfg)
{
	static const int attributes[] = { SYS_fchmod, SYS_fsetxattr, SYS_fremovexattr };
	uint32_t other = cfg->warden ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW;
	uint32_t own = cfg->attributes == ATTRIBUTES_ASKED ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW;

	/* of what cannot be opened, links: what there is of it; see humfs_user.c */
	callfilter_add1(f, other, SYS_statx, CALL_IS(2, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT));
	callfilter_add(f, other, SYS_readlinkat);
	/* fstat() of C libraries, and of the loader: of a descriptor, with an empty name */
	callfilter_add1(f, other, SYS_newfstatat, CALL_IS(3, AT_EMPTY_PATH));
	callfilter_add1(f, other, SYS_sched_setaffinity, CALL_IS_NOT(0, 0));
	if (cfg->attributes == ATTRIBUTES_REFUSED)
		return;
	callfilter_add1(f, other, SYS_utimensat, CALL_IS(3, AT_SYMLINK_NOFOLLOW));
	callfilter_add2(f, own, SYS_utimensat, CALL_IS(1, 0), CALL_IS(3, 0));
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
		callfilter_add(f, own, attributes[i]);
	/* nobody but root can give files away; for all others the kernel does not ask */
	if (geteuid() == 0)
		callfilter_add(f, own, SYS_fchown);
}

static void add_signals(struct callfilter *f, const struct syscalls_config *cfg)
{
	uint32_t action = cfg->warden && cfg->ask_kill ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW;

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		/*
		 * The first process of a PID namespace does not die of its own signals.  The
		 * kernel sends itself this one until it does, and exits if it cannot.
		 */
		if (cfg->first && signals[i] == SIGABRT)
			continue;
		/* a process, or 0 for its own group: no other group, and not everybody */
		callfilter_add2(f, action, SYS_kill, CALL_MASKED(0, 0x80000000, 0), CALL_IS(1, signals[i]));
	}
}

static void add_combinations(struct callfilter *f)
{
	static const int pairs[] = { SOCK_STREAM, SOCK_SEQPACKET };

	callfilter_add1(f, SECCOMP_RET_ALLOW, SYS_clone, CALL_MASKED(0, CLONE_REFUSED, 0));
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		callfilter_add2(f, SECCOMP_RET_ALLOW, SYS_socketpair, CALL_IS(0, AF_UNIX),
				CALL_MASKED(1, 0xf, pairs[i]));
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
		callfilter_add1(f, SECCOMP_RET_ALLOW, SYS_mknodat, CALL_MASKED(2, S_IFMT, nodes[i]));
	/* O_PATH would open what Landlock is not asked about */
	callfilter_add1(f, SECCOMP_RET_ALLOW, SYS_openat, CALL_MASKED(2, O_PATH, 0));
	callfilter_add2(f, SECCOMP_RET_ALLOW, SYS_fcntl, CALL_IS(1, F_SETOWN), CALL_IS(2, SYSCALLS_OWN_PID));
	/* that it dies with its parent, and not that it does not */
	callfilter_add2(f, SECCOMP_RET_ALLOW, SYS_prctl, CALL_IS(0, PR_SET_PDEATHSIG), CALL_IS(1, SIGKILL));
}

void syscalls_filter(struct sock_fprog *prog, const struct syscalls_config *cfg)
{
	cleanup_strbuf struct strbuf code = STRBUF_INIT;
	struct callfilter f = CALLFILTER_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		callfilter_add(&f, SECCOMP_RET_ALLOW, allowed[i]);
	add_operations(&f);
	add_unjudged(&f, cfg);
	add_signals(&f, cfg);
	add_combinations(&f);
	/* no death, either, for 32-bit calls: what its processes do is for the kernel to answer */
	callfilter_make(&f, SECCOMP_RET_ERRNO | ENOSYS, SECCOMP_RET_ERRNO | ENOSYS, &code);
	callfilter_release(&f);
	prog->len = (unsigned short)(code.len / sizeof(struct sock_filter));
	prog->filter = (struct sock_filter *)(void *)sb_steal(&code);
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

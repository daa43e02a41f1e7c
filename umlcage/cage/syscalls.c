// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The system calls of a UML kernel and its stub processes, as a seccomp filter
 * made by libseccomp.  Anything else fails with ENOSYS and does not kill: the
 * stubs carry a filter of their own that traps guest system calls, and of two
 * filters' answers SECCOMP_RET_TRAP goes before SECCOMP_RET_ERRNO (seccomp(2)).
 */
#include "umlcage/cage/syscalls.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/str.h"

static const char *const allowed[] = {
	/* memory */
	"brk", "mmap", "munmap", "mprotect", "mremap", "madvise", "memfd_create",
	/* descriptors the cage was given, and what humfs and the block driver do with them */
	"read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2",
	"pwritev2", "lseek", "close", "close_range", "dup", "dup2", "dup3", "fcntl", "pipe",
	"pipe2", "poll", "ppoll", "select", "pselect6", "epoll_create", "epoll_create1",
	"epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd2", "signalfd4", "ftruncate",
	"fallocate", "fsync", "fdatasync", "sync_file_range", "syncfs", "copy_file_range",
	"fadvise64", "readahead", "flock",
	"open", "openat", "openat2", "access", "faccessat", "faccessat2", "stat", "lstat",
	"fstat", "newfstatat", "statx", "statfs", "fstatfs", "getdents64", "readlink",
	"readlinkat", "getcwd", "chdir", "umask",
	"mkdir", "mkdirat", "unlink", "unlinkat", "rmdir", "rename", "renameat", "renameat2",
	"link", "linkat", "symlink", "symlinkat", "chmod", "fchmod", "fchmodat", "utimensat",
	"getxattr", "lgetxattr", "fgetxattr", "setxattr", "lsetxattr", "fsetxattr", "listxattr",
	"llistxattr", "flistxattr", "removexattr", "lremovexattr", "fremovexattr",
	/* sockets it was given: nothing here connects or binds */
	"recvmsg", "recvmmsg", "sendmsg", "sendmmsg", "recvfrom", "sendto", "getsockopt",
	"setsockopt", "getsockname", "getpeername", "shutdown", "socketpair",
	/* processes and threads: stubs are cloned, executed from a memory file, controlled */
	"clone", "clone3", "fork", "vfork", "execve", "execveat", "exit", "exit_group", "wait4",
	"waitid", "kill", "tgkill", "tkill", "ptrace", "prctl", "arch_prctl", "set_tid_address",
	"set_robust_list", "get_robust_list", "rseq", "futex", "sched_yield",
	"sched_getaffinity", "sched_setaffinity", "getpid", "gettid", "getppid", "getpgrp",
	"getpgid", "setpgid", "setsid", "getuid", "geteuid", "getgid", "getegid", "getcpu",
	"seccomp", "process_vm_readv", "process_vm_writev", "pidfd_open", "pidfd_send_signal",
	/* signals and time */
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigsuspend",
	"rt_sigtimedwait", "sigaltstack", "pause", "restart_syscall", "nanosleep",
	"clock_nanosleep", "clock_gettime", "clock_getres", "gettimeofday", "time",
	"timer_create", "timer_settime", "timer_gettime", "timer_delete", "timer_getoverrun",
	"setitimer", "getitimer", "timerfd_create", "timerfd_settime", "timerfd_gettime",
	/* the rest */
	"uname", "sysinfo", "getrlimit", "setrlimit", "prlimit64", "getrusage", "getrandom",
	"mlock", "munlock", "membarrier",
	/* terminals; ioctl() on anything else reaches only descriptors it was given */
	"ioctl",
};

/* The same in numbers every architecture shares, for what Debian 12's libseccomp cannot name. */
static const int allowed_new[] = {
	452,	/* fchmodat2, Linux 6.6 */
	463,	/* setxattrat, Linux 6.13, and the three after it */
	464,	/* getxattrat */
	465,	/* listxattrat */
	466,	/* removexattrat */
};

int syscalls_filter(struct sock_fprog *prog, struct error *e)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	cleanup_close int fd = memfd_with("filter", "", 0, e);
	cleanup_strbuf struct strbuf code = STRBUF_INIT;
	int ret;

	*prog = (struct sock_fprog){ 0 };
	if (!ctx || fd < 0) {
		seccomp_release(ctx);
		return err_set(e, ENOMEM, "cannot make the system call filter");
	}
	/* not death, either, for 32-bit calls: what its processes do is for the kernel to answer */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
	/* a binary tree instead of a list: the filter runs on every call */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		int nr = seccomp_syscall_resolve_name(allowed[i]);

		/* a name this libseccomp does not know yet is a call it cannot filter */
		if (nr != __NR_SCMP_ERROR)
			(void)seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(allowed_new); i++)
		(void)seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed_new[i], 0);
	/* sockets of our own machine only: no network but what the supervisor hands over */
	(void)seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
			       SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	ret = seccomp_export_bpf(ctx, fd);
	seccomp_release(ctx);
	if (ret < 0)
		return err_sys(e, -ret, "cannot make the system call filter");
	if (lseek(fd, 0, SEEK_SET) < 0 || fd_read_all(fd, 1 << 20, &code) < 0)
		return err_set(e, EIO, "cannot read the system call filter");
	prog->len = (unsigned short)(code.len / sizeof(struct sock_filter));
	prog->filter = (struct sock_filter *)(void *)sb_steal(&code);
	return 0;
}

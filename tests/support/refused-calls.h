/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For tests of confined processes (confine.h): calls that must fail in all of them. */
#ifndef TESTS_SUPPORT_REFUSED_CALLS_H
#define TESTS_SUPPORT_REFUSED_CALLS_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/support/unit.h"
#include "umlcage/base/str.h"

/* A file of the user's, open to be written, which the process does not have, and to be read. */
static char secret[UNIT_PATH];
static int stray = -1, kept = -1;

static long refused_exec_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	       MAP_FAILED ? -1 : 0;
}

static const struct { const char *name; long nr; long a, b, c; } refused_calls[] = {
	{ "open", SYS_open, (long)secret, O_RDONLY, 0 },
	{ "openat", SYS_openat, AT_FDCWD, (long)secret, O_RDONLY },
	{ "openat2", SYS_openat2, AT_FDCWD, (long)secret, 0 },
	{ "open path", SYS_openat, AT_FDCWD, (long)secret, O_PATH },
	{ "create", SYS_openat, AT_FDCWD, (long)"/tmp/umlcage-confine-new", O_CREAT | O_WRONLY },
	{ "stat", SYS_stat, (long)secret, 0, 0 },
	{ "readlink", SYS_readlink, (long)"/proc/self/exe", 0, 0 },
	{ "chmod", SYS_chmod, (long)secret, 0777, 0 },
	{ "fchmod", SYS_fchmod, 3, 0777, 0 },
	{ "truncate", SYS_truncate, (long)secret, 0, 0 },
	{ "unlink", SYS_unlink, (long)secret, 0, 0 },
	{ "rename", SYS_rename, (long)secret, (long)"/tmp/umlcage-confine-new", 0 },
	{ "mkdir", SYS_mkdir, (long)"/tmp/umlcage-confine-new", 0700, 0 },
	{ "setxattr", SYS_setxattr, (long)secret, (long)"user.x", 0 },
	{ "socket", SYS_socket, AF_UNIX, SOCK_STREAM, 0 },
	{ "inet", SYS_socket, AF_INET, SOCK_STREAM, 0 },
	{ "fork", SYS_fork, 0, 0, 0 },
	{ "clone", SYS_clone, SIGCHLD, 0, 0 },
	{ "execve", SYS_execve, (long)"/nonexistent", 0, 0 },
	{ "kill", SYS_kill, 1, 0, 0 },
	{ "kill all", SYS_kill, -1, 0, 0 },
	{ "tgkill", SYS_tgkill, 1, 1, 0 },
	{ "ptrace", SYS_ptrace, 0, 0, 0 },
	{ "prlimit", SYS_prlimit64, 0, 0, 0 },
	{ "memfd", SYS_memfd_create, (long)"x", 0, 0 },
	{ "prctl", SYS_prctl, 0, 0, 0 },
	{ "ioctl", SYS_ioctl, 0, 0, 0 },
	{ "dup", SYS_dup, 0, 0, 0 },
	{ "pidfd", SYS_pidfd_open, 1, 0, 0 },
	{ "io_uring", SYS_io_uring_setup, 1, 0, 0 },
	{ "bpf", SYS_bpf, 0, 0, 0 },
	{ "mount", SYS_mount, 0, 0, 0 },
	{ "unshare", SYS_unshare, 0, 0, 0 },
	{ "write to the stray file", SYS_write, -2, (long)"x", 1 },
	{ "read of the stray file", SYS_lseek, -2, 0, 0 },
	{ "write to the kept file", SYS_write, -3, (long)"x", 1 },
};

/* Before the process is started. */
static void refused_begin(void)
{
	unit_dir(secret, "confine");
	strcat(secret, "/s");
	stray = open(secret, O_RDWR | O_CREAT | O_EXCL, 0600);
	kept = open(secret, O_RDONLY);
}

static void refused_end(void)
{
	close(kept);
	close(stray);
	ck_assert_int_eq(unlink(secret), 0);
}

/* In the process: the names of those that were not refused. */
static void refused_try(struct strbuf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused_calls); i++) {
		long first = refused_calls[i].a;
		long a = first == -2 ? stray : first == -3 ? kept : first;
		pid_t self = getpid();
		long ret = syscall(refused_calls[i].nr, a, refused_calls[i].b, refused_calls[i].c, 0);

		if (getpid() != self)
			_exit(0);
		/* of descriptors it does not have, any failure will do */
		if (ret >= 0 || (first > -2 && errno != ENOSYS))
			sb_addf(out, "%s ", refused_calls[i].name);
	}
	if (refused_exec_memory() == 0)
		sb_adds(out, "executable memory ");
}

#endif

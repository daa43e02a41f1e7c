/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Subprocesses: explicit descriptors, nothing inherited by accident, every
 * child reaped, a child dies with its parent.
 */
#ifndef UMLCAGE_BASE_PROC_H
#define UMLCAGE_BASE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "umlcage/base/error.h"
#include "umlcage/base/str.h"

struct proc_fd {
	int ours;	/* the parent's descriptor; stays the caller's */
	int theirs;	/* its number in the child, >= 0 */
};

struct proc_opts {
	char *const *argv;	/* argv[0] is looked up in PATH unless exec_fd is set */
	char *const *env;	/* NULL: the parent's */
	int exec_fd;		/* > 0: fexecve() this */
	const char *cwd;	/* NULL: the parent's */
	const struct proc_fd *fds;	/* all the child has; 0, 1, 2 default to /dev/null */
	size_t nfds;		/* at most 256 */
	bool own_group;		/* setpgid(0, 0) */
	bool own_session;	/* setsid(), and with it a share of the CPUs like a terminal's */
	/* Runs in the child just before exec (jail, limits); async-signal-safe;
	 * a negative errno and a text on its @what stop the launch. */
	int (*before_exec)(void *arg, const char **what);
	void *before_exec_arg;
	unsigned long namespaces;	/* CLONE_NEW*: the child is in new ones, the first of its PIDs */
	/* Runs in the child first, with the parent's descriptors; the same rules. */
	int (*enter_namespaces)(void *arg, const char **what);
	void *enter_namespaces_arg;
};

/*
 * Starts a child with default signal dispositions and an empty mask; it is
 * killed when this thread dies.  *@pid gets its id; @pidfd (may be NULL) a
 * pidfd of it.  Failure to exec is reported here, not as an exit status.
 */
int proc_start(const struct proc_opts *opts, pid_t *pid, int *pidfd, struct error *e);
/* Waits for @pid; *@status as of waitpid(). */
int proc_wait(pid_t pid, int *status, struct error *e);
/*
 * The same for a child with a group or session of its own, for @timeout milliseconds (0: without an
 * end): -ETIMEDOUT with a text when they are over, -EINTR when interrupted() says so, and it has been
 * killed with its group.
 */
int proc_wait_group(pid_t pid, int pidfd, uint64_t timeout, int *status, struct error *e);
/* How many processors this process may run on, at least 1. */
unsigned int proc_cpus(void);
/* "exit status 3", "killed by signal 9 (Killed)"; malloc'ed. */
char *proc_status_text(int status);

/*
 * Runs @argv to its end with /dev/null as input.  Output goes into @out (may be
 * NULL: /dev/null), errors into @err (NULL: joined with the output).  At most
 * @max bytes of each are kept, the newest.  Fails only if it could not run;
 * *@status has the rest.
 */
int proc_capture(char *const *argv, size_t max, struct strbuf *out, struct strbuf *err,
		 int *status, struct error *e);
/* The same with further descriptors (@n at most 16, none of them 1 or 2) for the child. */
int proc_capture_fds(char *const *argv, const struct proc_fd *extra, size_t n, size_t max,
		     struct strbuf *out, struct strbuf *err, int *status, struct error *e);

#endif

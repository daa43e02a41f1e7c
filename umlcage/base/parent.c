// SPDX-License-Identifier: GPL-2.0-or-later
/* Ending with who started this program: see parent.h. */
#include "umlcage/base/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/str.h"

#define STACK ((size_t)64 << 10)	/* of the thread that waits, in bytes */

/* Those that wait for a program and do nothing else meanwhile. */
static const char *const waiters[] = { "timeout", "flock", "time", "nohup", "setsid", "sudo",
				       "doas", "su", "runuser", "strace", "unshare" };
static pid_t first;		/* the parent in the beginning of the program */
static struct pollfd above[8];	/* what called waiters: pidfds */
static nfds_t nabove;
static volatile sig_atomic_t gone;

static bool is_waiter(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(waiters); i++)
		if (strcmp(name, waiters[i]) == 0)
			return true;
	return false;
}

/* The parent of @pid if that one is a waiter, else 0. */
static pid_t called_by(pid_t pid)
{
	cleanup_free char *path = xasprintf("/proc/%d/stat", (int)pid);
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	char *name, *end;

	/* "12 (name) S 11 ...", where the name may have any byte */
	if (file_read(AT_FDCWD, path, 4096, &text, NULL) < 0 || !(name = strchr(text.s, '(')) ||
	    !(end = strrchr(text.s, ')')) || end[1] != ' ' || !end[2] || end[3] != ' ')
		return 0;
	*end = '\0';
	return is_waiter(name + 1) ? (pid_t)strtol(end + 4, NULL, 10) : 0;
}

static void *wait_above(void *arg)
{
	(void)arg;
	while (poll(above, nabove, -1) < 0 && errno == EINTR)
		;
	gone = 1;
	(void)kill(getpid(), SIGTERM);
	return NULL;
}

/* A thread of its own, as signals and whole programs come and go in what waits elsewhere. */
static void watch_above(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, former;

	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &former);
	if (pthread_attr_init(&attr) == 0) {
		(void)pthread_attr_setstacksize(&attr, STACK);
		(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		(void)pthread_create(&thread, &attr, wait_above, NULL);
		pthread_attr_destroy(&attr);
	}
	(void)pthread_sigmask(SIG_SETMASK, &former, NULL);
}

__attribute__((constructor)) static void note_parent(void)
{
	first = getppid();
}

void parent_follow(void)
{
	pid_t pid = first, caller;
	bool late;

	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	late = getppid() != first;
	while (!late && nabove < ARRAY_SIZE(above) && (caller = called_by(pid)) > 1) {
		int fd = (int)syscall(SYS_pidfd_open, caller, 0);

		if (fd < 0)
			break;
		above[nabove++] = (struct pollfd){ .fd = fd, .events = POLLIN };
		/* it is that process still, and not another one by its number */
		late = called_by(pid) != caller;
		pid = caller;
	}
	if (nabove)
		watch_above();
	if (late)
		(void)raise(SIGTERM);
}

bool parent_gone(void)
{
	int wanted = 0;

	return gone || (prctl(PR_GET_PDEATHSIG, &wanted) == 0 && wanted == SIGTERM &&
			getppid() != first);
}

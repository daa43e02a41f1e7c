/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process that is about to work on bytes from others gives up what it does not need:
 * no new privileges, Landlock (landlock.h), an allowlist of system calls (seccomp(2)),
 * resource limits (setrlimit(2)).  What it still has are the descriptors that it holds.
 *
 * Once entered there is no way back, so this is for a process of its own: a worker (worker.h),
 * or a program's other half.  It must have one thread.
 */
#ifndef UMLCAGE_BASE_CONFINE_H
#define UMLCAGE_BASE_CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "umlcage/base/error.h"

/* A file, or what is beneath a directory, that may still be opened by name. */
struct confine_path {
	int fd;		/* of any kind, O_PATH too */
	bool directory, writable;
};

/* A system call beyond the basic ones, perhaps with one value of one argument only; several
 * entries of one call add up. */
struct confine_call {
	int nr;		/* SYS_... */
	int arg;	/* 0 to 5; CONFINE_ANY: whatever the arguments */
	uint64_t value;
};
#define CONFINE_ANY (-1)

struct confine {
	/* none: what opens by name (openat and the like) is not among the basic calls; name
	 * it in @calls where there are paths */
	const struct confine_path *paths;
	size_t npaths;
	const struct confine_call *calls;
	size_t ncalls;
	bool network;		/* Landlock leaves TCP alone; the calls for it are in @calls */
	bool files;		/* may write to files (descriptors or paths); else pipes only */
	uint64_t memory;	/* bytes of address space on top of today's; 0: no limit */
	unsigned int cpu_seconds;	/* 0: no limit */
	unsigned int descriptors;	/* how many more than it holds; 0: none */
};

/* What the host could not do. */
enum { CONFINE_NO_LANDLOCK = 1, CONFINE_NO_FILTER = 2 };

/*
 * Enters it.  The basic system calls are those for memory (never executable), reading,
 * writing and closing descriptors, time, and the end of the process; anything else fails with
 * ENOSYS.  Returns what the host lacks (0: nothing), or -errno.
 */
int confine_enter(const struct confine *c, struct error *e);

#endif

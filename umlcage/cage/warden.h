/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The warden of a cage without namespaces: a process beside the kernel's, which answers the
 * system calls that a filter cannot judge by their numbers (seccomp_unotify(2)).  The
 * kernel's process waits meanwhile, and the call is made by the warden, with what it read once,
 * so that nothing can be exchanged after it was looked at.  That are
 *
 *  - statx, readlinkat and utimensat of a name: one component that is not "..", in a directory
 *    that the kernel has open, which Landlock had to allow.  utimensat in what is to be
 *    written only;
 *  - fchmod, fchown, fsetxattr, fremovexattr and utimensat of a descriptor, where some shares are to be
 *    written and some are not: of what lies in one that is;
 *  - kill, where Landlock does not keep signals in, and sched_setaffinity of other processes: of
 *    its own children only.
 *
 * It also outlives a supervisor that is killed, and then kills what there is of the cage.
 */
#ifndef UMLCAGE_CAGE_WARDEN_H
#define UMLCAGE_CAGE_WARDEN_H

#include <stddef.h>
#include <sys/types.h>

#include "umlcage/base/error.h"

struct warden {
	pid_t pid;	/* 0: there is none */
	int fd;		/* while it is open, its starter lives; the kernel's process to be has it, too */
};

#define WARDEN_INIT { 0, -1 }

/*
 * Starts it.  @writable: O_PATH or other descriptors of the directories that are to be written,
 * the caller's.
 */
int warden_start(struct warden *w, const int *writable, size_t n, struct error *e);
/*
 * In the kernel's process, with the descriptor that a filter's answers come from, before exec;
 * async-signal-safe.  0 or -errno.
 */
int warden_hand_over(const struct warden *w, int listener);
/* Whether it can do its work for the process @pid, which has executed the kernel. */
int warden_check(pid_t pid, struct error *e);
/* Ends it; the kernel's process is gone by then, or fails from there on. */
void warden_release(struct warden *w);

#endif

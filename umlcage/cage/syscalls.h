/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The system calls of a UML kernel and its stub processes, as a seccomp filter. */
#ifndef UMLCAGE_CAGE_SYSCALLS_H
#define UMLCAGE_CAGE_SYSCALLS_H

#include <linux/filter.h>
#include <stdbool.h>
#include <sys/types.h>

/* Stands for the kernel's own PID, which is not known before fork(); none is as large. */
#define SYSCALLS_OWN_PID 0x3fffff01

/* Whether this host has such filters at all. */
bool syscalls_can_filter(void);

struct syscalls_config {
	bool first;	/* for the first process of a PID namespace */
	bool warden;	/* what it cannot judge is asked of one: see warden.h */
	bool ask_kill;	/* ... and signals, too */
	enum { ATTRIBUTES_ALLOWED, ATTRIBUTES_ASKED, ATTRIBUTES_REFUSED } attributes;	/* of descriptors */
};

/* Builds the filter; @prog->filter is malloc'ed. */
void syscalls_filter(struct sock_fprog *prog, const struct syscalls_config *cfg);
/* Puts @pid in the place of SYSCALLS_OWN_PID; async-signal-safe. */
void syscalls_own_pid(struct sock_fprog *prog, pid_t pid);

#endif

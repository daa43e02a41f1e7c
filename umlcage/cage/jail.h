/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wall around a cage.  Its guest is not trusted, and neither is its kernel: a
 * guest process can come to write the kernel's memory.  So the whole UML process
 * is confined before exec: no new privileges, Landlock (landlock(7)), a seccomp
 * allowlist (seccomp(2)), resource limits.
 */
#ifndef UMLCAGE_CAGE_JAIL_H
#define UMLCAGE_CAGE_JAIL_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#include "umlcage/base/error.h"
#include "umlcage/base/progress.h"
#include "umlcage/cage/place.h"

struct jail {
	int ruleset;		/* Landlock; -1: the host has none */
	struct sock_fprog filter;	/* seccomp; .len 0: none */
	const struct place *place;
};

/* A descriptor the kernel may open again or work beneath, and how. */
struct jail_path {
	int fd;
	bool directory;
	bool writable;
	bool executable;
};

/*
 * Prepares everything that needs memory, before fork().  What the host lacks is
 * warned about, or, with @require, an error.
 */
int jail_prepare(struct jail *j, const struct jail_path *paths, size_t npaths, bool require,
		 struct progress *progress, struct error *e);
/* In the child, before exec; async-signal-safe.  For struct proc_opts.before_exec. */
int jail_enter(void *jail, const char **what);
/* How many descriptors a process may have once it is in there; 0 for any number. */
uint64_t jail_descriptors(void);

void jail_release(struct jail *j);

/* The Landlock ABI of the host, 0 if it has none (for doctor). */
int jail_landlock_abi(void);

#endif

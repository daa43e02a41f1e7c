/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Namespaces of a cage's own (namespaces(7)): user, mount, PID, IPC, network and UTS, with a
 * root directory that is empty but for the libraries that the kernel is linked with and a
 * few single files.  In there names mean nothing, signals reach nobody, and ".." of a
 * share is where it ends, since each is a mount of its own.
 */
#ifndef UMLCAGE_CAGE_NAMESPACES_H
#define UMLCAGE_CAGE_NAMESPACES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "umlcage/base/error.h"

struct namespaces_dir {
	int fd;
	char *path;		/* how it can be found again in a new mount namespace */
	dev_t dev;
	ino_t ino;
	bool file;
	bool read_only;
};

struct namespaces {
	unsigned long flags;	/* CLONE_NEW*, for struct proc_opts; 0: none */
	struct namespaces_dir *dirs;
	size_t ndirs;
	char uid_map[64], gid_map[64];
};

/* Before fork(): sets .flags, unless this process is one for which there shall be none. */
void namespaces_prepare(struct namespaces *ns);
/* A directory or file to take along.  Its descriptor is replaced in the child by one of the new mount. */
int namespaces_add(struct namespaces *ns, int fd, bool read_only, struct error *e);
/*
 * In the child that was made with .flags, before its descriptors are placed; async-signal-safe.
 * For struct proc_opts.enter_namespaces.
 */
int namespaces_enter(void *ns, const char **what);
void namespaces_release(struct namespaces *ns);

#endif

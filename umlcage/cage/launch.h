/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The launch of a UML kernel as a pure function: from what the cage is to be and
 * the descriptors it gets, to an argument vector and a map of descriptors.
 */
#ifndef UMLCAGE_CAGE_LAUNCH_H
#define UMLCAGE_CAGE_LAUNCH_H

#include "umlcage/base/proc.h"
#include "umlcage/base/str.h"
#include "umlcage/cage/cage.h"

/* Descriptors on our side; -1: there is none. */
struct launch_fds {
	int console;	/* write end of the pipe the console goes into */
	int control;	/* vec1 */
	int net;	/* vec0; -1 with --net=none */
	int initramfs;
	int root;	/* share or image */
	int upper;	/* share or COW file */
	int stats;	/* what the kernel counts in; 0: it is not to count */
	uint64_t limit;	/* how many descriptors it may have; 0: not known */
	char *cpus;	/* a list of the host's it may use; NULL: not known, or only one */
};

struct launch {
	struct strv argv;
	struct proc_fd *fds;
	size_t nfds;
};

enum { LAUNCH_FIRST_FD = 3 };

/* Tags of humfs shares: "root", "upper" and these for cfg->mounts and cfg->emulators. */
#define LAUNCH_MOUNT_TAG "m%zu"
#define LAUNCH_EMULATOR_TAG "e%zu"

void launch_plan(struct launch *l, const struct cage_config *cfg, const struct launch_fds *fds);
void launch_release(struct launch *l);

#endif

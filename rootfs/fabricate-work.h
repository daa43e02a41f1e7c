/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A share for the time of one fabrication, in the user's cache.  It is gone when the
 * fabrication ends; what a killed one left is removed by the next.
 */
#ifndef ROOTFS_FABRICATE_WORK_H
#define ROOTFS_FABRICATE_WORK_H

#include "hostfs-bridge/lib/share.h"

struct work {
	struct share share;
	char *path;		/* NULL: none */
};

#define WORK_INIT { SHARE_INIT, NULL }

int work_begin(struct work *w, struct error *e);
/* Closes the share and removes it. */
void work_end(struct work *w);
#define cleanup_work __attribute__((cleanup(work_end)))

#endif

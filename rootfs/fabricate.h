/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carrying out a plan: fetch and unpack natively, configure in a cage, clean up,
 * export.  The result is what mmdebstrap in root mode makes with the same options.
 */
#ifndef ROOTFS_FABRICATE_H
#define ROOTFS_FABRICATE_H

#include "rootfs/options.h"
#include "rootfs/plan.h"
#include "umlcage/base/error.h"
#include "umlcage/base/progress.h"

/* Milliseconds that each stage took, for the closing summary. */
struct fabricate_times {
	int64_t unpack;		/* fetching and unpacking, overlapped */
	int64_t boot;
	int64_t configure;	/* everything in the cage */
	int64_t cleanup;
	int64_t export;		/* with the removal of the tree */
	int64_t total;
};

/*
 * Makes o->target from @plan, whose packages are fetched through @a.  The target appears
 * whole or not at all; a former one stays as it was after any error.  @kernel is the
 * path of the cage's kernel.  On failure in the cage the last lines of its output have
 * gone to @progress.
 */
int fabricate_run(const struct fab_options *o, const struct plan *plan, struct pkg_archive *a,
		  const char *kernel, struct progress *progress, struct fabricate_times *times,
		  struct error *e);

/* Does the plan need a cage at all (and so a kernel)? */
bool fabricate_needs_cage(const struct fab_options *o, const struct plan *plan);

#endif

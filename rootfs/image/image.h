/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images of file systems, made of a share by the distribution's own tools, as root in a cage:
 * who fills target_maker of a target.
 *
 *	struct image_maker im = IMAGE_MAKER_INIT(&machine);
 *	target.maker = &im.maker;
 *	... target_prepare(), target_write() ...
 *	image_maker_release(&im);
 *
 * The tree goes into the cage as a tar file on standard input, in sorted order and with no time
 * later than the epoch, so that the same tree and epoch make the same bytes; identifiers are
 * made from what is in the tree.  The tools are a root of the cache (fabricate_tools_root()),
 * made on first use.
 */
#ifndef ROOTFS_IMAGE_H
#define ROOTFS_IMAGE_H

#include "hostfs-bridge/target/target.h"
#include "rootfs/fabricate/fabricate.h"

struct image_maker {
	struct target_maker maker;	/* first */
	const struct machine *machine;
	const char *mirror;		/* for tools and kernel; NULL: found */
	struct kernel_info kernel;
	char *tools;			/* a share; NULL: not prepared */
	const char *packages;		/* that are in there */
};

int image_prepare(struct target_maker *m, const struct target *t, struct progress *progress,
		  struct error *e);
int image_check(struct target_maker *m, const struct target *t, struct share *s, struct error *e);
int image_make(struct target_maker *m, const struct target *t, struct share *s, int fd,
	       struct progress *progress, struct share_totals *totals, struct error *e);
void image_maker_release(struct image_maker *im);

/* @m has been checked and outlives it. */
#define IMAGE_MAKER_INIT(m) \
	{ .maker = { image_check, image_prepare, image_make }, .machine = (m), .kernel = KERNEL_INFO_INIT }

#endif

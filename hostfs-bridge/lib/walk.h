/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a share as the guest sees it: every entry once, directories before what is in
 * them, names in bytewise order.  No path is ever resolved, so nothing outside can be
 * reached and paths may be longer than the system allows.
 */
#ifndef UMLCAGE_SHARE_WALK_H
#define UMLCAGE_SHARE_WALK_H

#include <sys/stat.h>

#include "hostfs-bridge/lib/tree.h"

struct share_entry {
	const char *path;		/* "" for the root, "usr/bin" */
	int dirfd;			/* the directory it is in; the root's own for the root */
	const char *name;		/* in there; "." for the root */
	int fd;				/* the host's file or directory, readable; -1: real symlink */
	struct stat host;		/* the host's stat: size, links, inode */
	struct share_attr attr;		/* the guest's view, with xattrs unless told not to */
	const char *target;		/* of a symlink, else NULL */
	/* SHARE_WALK_RAW only: 0, or why the guest's view could not be read (-EINVAL:
	 * malformed metadata, or a type of host object that no share has) */
	int bad;
};

enum share_walk_flags {
	SHARE_WALK_NO_XATTRS = 1,
	SHARE_WALK_RAW = 2,	/* go on where the metadata cannot be read: see .bad */
};

/*
 * Calls @fn for all of the share at @rootfd (stays the caller's); what it is given is
 * valid during the call.  A negative result of @fn ends the walk and is returned; a
 * positive one leaves out what is in this directory.
 */
int share_walk(int rootfd, unsigned int flags,
	       int (*fn)(const struct share_entry *entry, void *arg, struct error *e),
	       void *arg, struct error *e);

#endif

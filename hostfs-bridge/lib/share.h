/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A share: a host directory that holds a tree with recorded ownership (the
 * "umlcage share" manual and hostfs-bridge/meta/meta.h tell the format).  Here:
 * opening, creating, locking, and the mark that says a cage did not end cleanly.
 * tree.h makes and changes entries, walk.h reads them, archive.h is tar and cpio.
 */
#ifndef UMLCAGE_SHARE_SHARE_H
#define UMLCAGE_SHARE_SHARE_H

#include <stdbool.h>

#include "umlcage/base/error.h"

struct share {
	int fd;		/* the directory, readable; carries the lock */
	char *path;	/* as given, for messages */
	bool dirty;	/* it was marked when it was opened: its last cage was killed */
};

#define SHARE_INIT { -1, NULL, false }

enum share_access {
	SHARE_READ,	/* shared lock: any number of readers */
	SHARE_WRITE,	/* exclusive lock */
	SHARE_PEEK,	/* no lock: for listing what may be in use */
};

/*
 * Opens the share at @path.  The lock is a flock() on the directory itself: it lasts
 * until the last copy of the descriptor is closed, so also as long as a kernel lives that
 * inherited it.  -EBUSY when somebody else's lock forbids it (never waits), -EINVAL for a
 * directory that is no share, -EPERM for one of another user, -EOPNOTSUPP where the
 * filesystem has no user xattrs.
 */
int share_open(struct share *s, const char *path, enum share_access access, struct error *e);

/*
 * Makes @path a new share, mode 0700, its root 0:0 0755, and opens it for writing.  @path
 * is made, or is an empty directory (-ENOTEMPTY otherwise); its parent must exist.
 */
int share_create(struct share *s, const char *path, struct error *e);

/* Turns the lock of an open share into another one; -EBUSY as above. */
int share_relock(struct share *s, enum share_access access, struct error *e);

/* Marks the share as being written to by a cage; survives a crash of everything. */
int share_mark_dirty(struct share *s, struct error *e);
/* Everything on the disk, then the mark away: the clean end. */
int share_mark_clean(struct share *s, struct error *e);
/* All of the share's filesystem on the disk. */
int share_sync(struct share *s, struct error *e);

/* Closes and frees; the lock goes with it unless a descriptor lives on elsewhere. */
void share_close(struct share *s);
#define cleanup_share __attribute__((cleanup(share_close)))

/* Does the directory @dirfd (or @path below it) look like the top of a share? */
bool share_is_share(int dirfd, const char *path);

#define SHARE_DIRTY_XATTR "user.containers.umlcage_dirty"

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making and changing the entries of a share from the host, as the guest's root would.
 *
 * Paths are the guest's, relative to the root of the share; "./" and "/" in front are
 * dropped, "..", as a component, is refused.  Symbolic links in the directory part are
 * followed as in a chroot (openat2 with RESOLVE_IN_ROOT), so nothing outside the share
 * can be reached; the last component is never followed.  The host's view of an entry
 * (xattr, modes, stand-ins for devices) is the codec's, hostfs-bridge/meta.
 *
 * Calls a file with default metadata costs: openat, write, utimensat, close.
 *
 * One tree belongs to one thread; several trees, also of several processes, may work on
 * one share at the same time.
 */
#ifndef UMLCAGE_SHARE_TREE_H
#define UMLCAGE_SHARE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "umlcage/base/error.h"

struct share_xattr {
	char *name;	/* the guest's: "security.capability" */
	void *value;
	size_t len;
};

/* An inode as the guest sees it. */
struct share_attr {
	uint32_t mode;			/* as in st_mode: type and permission bits */
	uint32_t uid, gid;
	uint32_t major, minor;		/* of a device */
	struct timespec mtime;		/* tv_nsec UTIME_OMIT: now */
	const struct share_xattr *xattrs;	/* not owned */
	size_t nxattrs;
};

struct share_tree;

enum share_tree_flags {
	SHARE_PARENTS = 1,	/* missing parent directories are made, 0:0 0755 */
	/*
	 * What is in the way is removed (a directory only if empty), and a directory that
	 * exists already gets the new metadata.  Without: -EEXIST.
	 */
	SHARE_REPLACE = 2,
	/* every file and directory gets a record: readers like fuse-overlayfs want one */
	SHARE_RECORD_ALL = 8,
	SHARE_KEEP_DIRS = 4,	/* a directory that exists is left as it is, success */
};

/* @rootfd, the share's directory, stays the caller's and must stay open. */
struct share_tree *share_tree_new(int rootfd, unsigned int flags);
/*
 * Sets the modification times of the directories made, which filling them has changed;
 * call it once when all is there.
 */
int share_tree_finish(struct share_tree *t, struct error *e);
/* Frees, without finishing. */
void share_tree_free(struct share_tree **t);
#define cleanup_share_tree __attribute__((cleanup(share_tree_free)))
/* Forgets looked-up directories: after somebody else moved or removed some. */
void share_tree_forget(struct share_tree *t);

/*
 * All return 0 or -errno and name @path in the error; what is half made is removed again.
 * share_mkdir() also takes "" or "." for the root of the share: only its metadata is set.
 */
int share_mkdir(struct share_tree *t, const char *path, const struct share_attr *a,
		struct error *e);
/* A regular file with these contents. */
int share_file(struct share_tree *t, const char *path, const struct share_attr *a,
	       const void *data, size_t len, struct error *e);
int share_symlink(struct share_tree *t, const char *path, const char *target,
		  const struct share_attr *a, struct error *e);
/* Another name for @old, whatever it is but a directory. */
int share_hardlink(struct share_tree *t, const char *path, const char *old, struct error *e);
/* A device, fifo or socket, by @a->mode. */
int share_node(struct share_tree *t, const char *path, const struct share_attr *a,
	       struct error *e);
/* Any of the above by @a->mode but a regular file with contents; @target of a symlink. */
int share_make(struct share_tree *t, const char *path, const char *target,
	       const struct share_attr *a, struct error *e);

/*
 * A regular file in pieces: begin returns a descriptor to write to (the caller's), its
 * metadata already recorded; end sets the time and closes it, also on failure; abort
 * closes and removes it.
 */
int share_file_begin(struct share_tree *t, const char *path, const struct share_attr *a,
		     struct error *e);
int share_file_end(struct share_tree *t, const char *path, int fd, const struct share_attr *a,
		   struct error *e);
void share_file_abort(struct share_tree *t, const char *path, int fd);

/* What the guest sees of @path (last component not followed), without xattrs. */
int share_stat(struct share_tree *t, const char *path, struct share_attr *a, struct error *e);
/*
 * Sets owner, mode, and, unless UTIME_OMIT, time of what exists; the type in @a->mode is
 * not looked at.  No rules of chown() about set-id bits are applied.
 */
int share_setattr(struct share_tree *t, const char *path, const struct share_attr *a,
		  struct error *e);
/* One guest xattr of what exists; @value NULL removes it. */
int share_setxattr(struct share_tree *t, const char *path, const char *name,
		   const void *value, size_t len, struct error *e);
/* rename(), replacing a file in the way; -EEXIST for nothing. */
int share_rename(struct share_tree *t, const char *from, const char *to, struct error *e);
/* Removes a file, or with all that is in it a directory; absent is success. */
int share_remove(struct share_tree *t, const char *path, struct error *e);

/*
 * The directory that holds @path, as a descriptor that stays the tree's (valid until the
 * next call), and the last component, a pointer into a buffer of the tree.  For what the
 * functions above lack.  -ENOENT without SHARE_PARENTS.
 */
int share_parent(struct share_tree *t, const char *path, const char **name, struct error *e);

/* Below the tree, for those who hold the descriptors: */

/* Reads the metadata of an open file or directory of a share. */
int share_fstat(int fd, const char *path, struct share_attr *a, struct error *e);
/* Writes all but time and contents to an open file or directory (a stand-in's too). */
int share_fsetattr(int fd, const char *path, const struct share_attr *a, struct error *e);
/* "the filesystem of 'X' has no user xattrs ...", and the like, from an errno of fsetxattr. */
int share_xattr_error(struct error *e, int errnum, const char *path);

#endif

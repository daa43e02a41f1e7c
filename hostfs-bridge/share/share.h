/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A share: a host directory that holds a tree with recorded ownership (the
 * "umlcage share" manual and hostfs-bridge/meta/meta.h tell the format).  Here:
 * opening, creating, locking, and the mark that says a cage did not end cleanly.
 * tree.h makes and changes entries, walk.h reads them, archive.h is tar and cpio.
 */
#ifndef HOSTFS_BRIDGE_SHARE_H
#define HOSTFS_BRIDGE_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include "umlcage/base/error.h"

struct strbuf;

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

/* The process that locked the share, from /proc/locks; 0 if nobody did, or it cannot be told. */
pid_t share_holder(const struct share *s);

/* Turns the lock of an open share into another one; -EBUSY as above. */
int share_relock(struct share *s, enum share_access access, struct error *e);

/* Marks the share as being written to by a cage, gives it another id; survives a crash of
 * everything. */
int share_mark_dirty(struct share *s, struct error *e);
/* Everything on the disk, then the mark away: the clean end. */
int share_mark_clean(struct share *s, struct error *e);
/*
 * What tells a share from others and from what it was: a text that is made with it, is
 * another one after every cage or command that wrote to it, and goes with copies.  -ENODATA
 * without an error text for a share of former times; share_set_id() with NULL makes one up.
 */
#define SHARE_ID_MAX 64
int share_id(const struct share *s, char id[SHARE_ID_MAX + 1]);
int share_set_id(struct share *s, const char *id, struct error *e);

/*
 * A share that nobody is to change any more: seal it, and check at any time whether somebody
 * did.  0, or -ESTALE if anything is missing, more, or other than it was; -ENODATA if it was
 * never sealed; -EINTR, -EMFILE, -ENOMEM.  The check looks at every entry, not into the
 * files, unless the entries have been touched (a copy was made): 25 ms of processor time for
 * a small system.  What a medium lost without telling is beyond it.
 */
int share_seal(struct share *s, struct error *e);
int share_seal_check(struct share *s);

/* All of the share's filesystem on the disk. */
int share_sync(struct share *s, struct error *e);

/* Closes and frees; the lock goes with it unless a descriptor lives on elsewhere. */
void share_close(struct share *s);
#define cleanup_share __attribute__((cleanup(share_close)))

/*
 * Is the directory @fd a share that nobody has open, or what was to become one and did not within
 * a minute?  What is killed leaves such; the lock that it gets here lasts until @fd is closed.
 */
bool share_is_abandoned(int fd);

/* Does the directory @dirfd (or @path below it) look like the top of a share? */
bool share_is_share(int dirfd, const char *path);

/*
 * A share that appears at @dir whole or not at all: begin makes it aside, in the same
 * directory (@dir must not exist, or be empty but for an empty lost+found); commit syncs and
 * renames it; abort, also after commit, leaves nothing behind but what was committed.  Where
 * @dir cannot be replaced, being mounted or having a lost+found, commit moves what is in the
 * share into it.
 */
struct share_stage {
	struct share share;
	char *dir;	/* where it shall be; NULL: nothing under way */
	bool inside;	/* it is made within there */
	bool over;	/* it takes the place of a share that is there */
};

#define SHARE_STAGE_INIT { SHARE_INIT, NULL, false, false }

/* Could one begin?  The errors of begin, without doing anything. */
int share_stage_check(const char *dir, struct error *e);
int share_stage_begin(struct share_stage *st, const char *dir, struct error *e);
/*
 * The same for a share that may be there: commit replaces it by the new one, at once.  -EBUSY from
 * commit while a cage uses it.
 */
int share_stage_begin_over(struct share_stage *st, const char *dir, struct error *e);
/* On success the share is open and locked still, under its new path. */
int share_stage_commit(struct share_stage *st, struct error *e);
void share_stage_abort(struct share_stage *st);
/* Removes the share at @path, in whatever state; absent is success, -EBUSY if it is in use. */
int share_discard(const char *path, struct error *e);
/* Removes what killed runs left of shares in @parent: of @name's, or of all (NULL). */
void share_stage_sweep(const char *parent, const char *name);
#define cleanup_share_stage __attribute__((cleanup(share_stage_abort)))

#define SHARE_ID_XATTR "user.containers.umlcage_id"
#define SHARE_DIRTY_XATTR "user.containers.umlcage_dirty"

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

/*
 * A regular file, to be read; the descriptor is the caller's.  A link is not followed (-ELOOP): what
 * a guest wrote may lead anywhere.
 */
int share_open_file(struct share_tree *t, const char *path, struct error *e);
/* The contents of such a file, at most @max bytes (-EFBIG beyond), appended to @out. */
int share_read(struct share_tree *t, const char *path, size_t max, struct strbuf *out,
	       struct error *e);
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

/*
 * Reading a share as the guest sees it: every entry once, directories before what is in
 * them, names in bytewise order.  No path is ever resolved, so nothing outside can be
 * reached and paths may be longer than the system allows.
 */

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

/* Inodes with several names: which name came first. */

struct share_links;

struct share_links *share_links_new(void);
void share_links_free(struct share_links **l);
#define cleanup_links __attribute__((cleanup(share_links_free)))

/* The name this inode was asked about first; NULL the first time, when @path is noted. */
const char *share_links_first(struct share_links *l, dev_t dev, ino_t ino, const char *path);
/* The same for counting: notes one more of the inode's @nlink names. */
void share_links_count(struct share_links *l, dev_t dev, ino_t ino, const char *path, uint64_t nlink);
/* Calls @fn with the first name of every inode that was counted less often than it has
 * names. */
void share_links_incomplete(const struct share_links *l, void (*fn)(const char *path, void *arg), void *arg);
/* A number of the inode last asked about: 1 for the first one, and so on. */
uint64_t share_links_number(const struct share_links *l);

/* Modes and owners as chmod(1), chown(1) and ls(1) write them. */

/*
 * The permission bits that "0755", "u+s,go-w" or "a=rX" make of @mode (with its type
 * bits, which X looks at); -EINVAL.  Without letters in front, all are meant: there is no
 * umask here.
 */
int share_mode_apply(const char *text, uint32_t mode, uint32_t *out, struct error *e);

/* "UID", "UID:GID", ":GID"; what is not named is left alone. */
int share_owner_parse(const char *text, uint32_t *uid, uint32_t *gid, struct error *e);

/* "drwxr-sr-t", ten characters and a NUL. */
void share_mode_text(uint32_t mode, char out[11]);

/* Is a share as shares are?  Finds what is not, says why it matters, and mends it. */

struct share_problem {
	const char *path;	/* "." for the root */
	const char *what;	/* "a set-user-id bit on the host" */
	const char *remedy;	/* what repairing does or did; NULL: only the user can mend it */
	bool repaired;
};

struct share_report {
	uint64_t entries;	/* looked at */
	uint64_t problems;
	uint64_t repaired;
	uint64_t recorded;	/* entries with a record of owner and mode, the top not counted */
	bool dirty;		/* was marked as being written to by a cage that was killed */
};

/*
 * Checks the share at @path, all of it, calling @fn for each problem; with @repair it
 * mends what it can.  0 also if there are problems: see the report.  -EBUSY while a cage
 * uses the share; -EINVAL for a directory that is no share, unless @adopt makes its top
 * one (the record of the root lost).
 */
int share_verify(const char *path, bool repair, bool adopt,
		 void (*fn)(const struct share_problem *p, void *arg), void *arg,
		 struct share_report *report, struct error *e);

/*
 * Copies of directories as they are on the host: contents (shared blocks where the
 * filesystem can), modes, times, user xattrs, hard links.  A copied share is the
 * same share.
 */

/* All of @from into the existing empty directory @to; -EINTR after a signal. */
int share_copy(int from, int to, struct error *e);
/* No time of modification in the share is later than @newest, in seconds since the epoch, any more. */
int share_clamp_times(int rootfd, int64_t newest, struct error *e);
/* All of @from into the empty @to, in the kernel where possible, holes as holes; -EINTR. */
int share_copy_file(int from, int to, struct error *e);

#endif

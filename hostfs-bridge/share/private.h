/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files behind tree.h share. */
#ifndef UMLCAGE_SHARE_TREE_PRIV_H
#define UMLCAGE_SHARE_TREE_PRIV_H

#include "hostfs-bridge/meta/meta.h"
#include "hostfs-bridge/share/share.h"

unsigned int share_tree_flags(const struct share_tree *t);
int share_tree_root(const struct share_tree *t);
/* The mode the umask took from a new file or directory; 0 or -errno. */
int share_tree_fix_mode(const struct share_tree *t, int fd, mode_t mode);
/* Does the umask take away some of @mode? */
bool share_tree_masks(const struct share_tree *t, mode_t mode);
/* Notes the time of a directory for share_tree_finish(). */
void share_tree_later(struct share_tree *t, const char *path, const struct timespec *mtime);

/* The file or directory at @path, to be read; -ELOOP for a real symbolic link. */
int share_open_entry(struct share_tree *t, const char *path, struct error *e);

/* The codec's form of @a; -EINVAL for a type that does not exist. */
int share_meta_of_attr(const struct share_attr *a, struct humfs_meta *m);
void share_attr_of_meta(const struct humfs_meta *m, struct share_attr *a);

/* Records @m on @fd; @force also where the host object says it all.  0 or -errno. */
int share_meta_write(int fd, const struct humfs_meta *m, bool force);
/* share_fsetattr(), with a record even where none is needed: the root of the share. */
int share_attr_write(int fd, const char *path, const struct share_attr *a, bool force,
	       struct error *e);
int share_attr_write_xattrs(int fd, const char *path, const struct share_attr *a, struct error *e);
/* Mode, times (of @st) and user xattrs of @from for @to: copies as in share_copy(). */
int share_copy_attr(int from, int to, const struct stat *st, struct error *e);
/* 1 recorded, 0 by default, -errno (-EINVAL: malformed, or does not fit the host type). */
int share_meta_read(int fd, uint32_t host_mode, struct humfs_meta *m);

#endif

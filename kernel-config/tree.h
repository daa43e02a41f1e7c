/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A source tree being written: what the exclusion list leaves, below one open
 * directory and never outside it, whatever names and links the source has.
 */
#ifndef KERNEL_CONFIG_TREE_H
#define KERNEL_CONFIG_TREE_H

#include <stdint.h>
#include <sys/types.h>

#include "kernel-config/exclude.h"
#include "umlcage/base/error.h"
#include "umlcage/base/progress.h"

struct tree {
	int fd;				/* the top, open; stays the caller's */
	const struct exclude *exclude;
	struct progress *progress;	/* NULL: silent */
	int dir;			/* the folder of the last file; -1 */
	char *dir_name;
	uint64_t files, bytes;		/* written */
};

#define TREE_INIT { -1, NULL, NULL, -1, NULL, 0, 0 }

/* An empty file for @path (its folders are made), executable if @mode is: the
 * descriptor, -ENOENT if the list excludes it, another -errno with an error. */
int tree_create(struct tree *t, const char *path, mode_t mode, struct error *e);
int tree_symlink(struct tree *t, const char *path, const char *target, struct error *e);
/* Appends @text to a file that is there. */
int tree_append(struct tree *t, const char *path, const char *text, struct error *e);
/* Writes a whole file, excluded or not. */
int tree_write(struct tree *t, const char *path, const void *data, size_t len, struct error *e);
void tree_release(struct tree *t);
#define cleanup_tree __attribute__((cleanup(tree_release)))

/*
 * Unpacks a tarball with any compression, or a .deb that holds
 * usr/src/linux-source-*.tar*, in one pass without a temporary file; the top folder
 * of the tarball is dropped.  @fd is read from where it is; @name is for messages.
 * -EBADMSG if it holds no Linux source.  Stops with -EINTR once interrupted().
 */
int tree_unpack(struct tree *t, int fd, const char *name, struct error *e);
/* Copies a source tree; objects and configuration of a build in it stay behind. */
int tree_copy(struct tree *t, const char *from, struct error *e);
/* sha256 over names, sizes and times of what tree_copy() would copy; malloc'ed. */
int tree_identity(const struct exclude *x, const char *from, char **id, struct error *e);

#endif

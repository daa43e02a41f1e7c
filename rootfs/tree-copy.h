/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copies of directories as they are on the host: contents (shared blocks where the
 * filesystem can), modes, times, user xattrs, hard links.  A copied share is the
 * same share.
 */
#ifndef ROOTFS_TREE_COPY_H
#define ROOTFS_TREE_COPY_H

#include <stdint.h>

#include "umlcage/base/error.h"

/* All of @from into the existing empty directory @to; -EINTR after a signal. */
int tree_dup(int from, int to, struct error *e);
/* The rest of @from into @to, in the kernel where possible. */
int file_dup(int from, int to, struct error *e);

#endif

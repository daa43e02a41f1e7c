/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of the host into a tar file and out of one, for copy-in, copy-out and their kin. */
#ifndef ROOTFS_HOOKS_PACK_H
#define ROOTFS_HOOKS_PACK_H

#include <stdbool.h>

#include "umlcage/base/error.h"

/*
 * Writes @path to @fd as a tar file, owners as numbers, and goes back to its beginning.
 * Entries are named after the last component, or with @contents from the directory on.
 */
int hooks_pack(const char *path, bool contents, int fd, struct error *e);
/* Unpacks the tar file @fd in the directory @dir, made if it is not there. */
int hooks_unpack(int fd, const char *dir, struct error *e);
/* Makes the directories that lead to @path. */
int hooks_parents(const char *path, struct error *e);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ordinary files and folders of the host from and to streams of tar, for what goes in and out of
 * a cage.  (Shares, which record owners, have hostfs-bridge/pack.)
 */
#ifndef UMLCAGE_COPY_H
#define UMLCAGE_COPY_H

#include <sys/types.h>

#include "umlcage/base/error.h"

/*
 * Writes the file or folder @path to @fd as a tar archive in which it is called @name and belongs
 * to @uid and @gid.  -EPIPE when nobody reads it.
 */
int copy_pack(const char *path, const char *name, uid_t uid, gid_t gid, int fd, struct error *e);

/*
 * Unpacks the tar archive read from @fd, whose single top is called @name below the folder @dirfd.
 * As an ordinary user does it: what it makes is the user's, set-id bits are left out.  The archive
 * may be hostile: nothing outside of that top is written, no link is followed there.  -EOPNOTSUPP
 * names a device that cannot be made, once everything else is there.
 */
int copy_unpack(int fd, int dirfd, const char *name, struct error *e);

#endif

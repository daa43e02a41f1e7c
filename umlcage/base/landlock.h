/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Landlock (landlock(7), Documentation/userspace-api/landlock.rst): which files this process
 * and its children may open by name from then on.  It does not cover descriptors that are
 * open already, attributes of files, nor O_PATH.
 */
#ifndef UMLCAGE_BASE_LANDLOCK_H
#define UMLCAGE_BASE_LANDLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Newer than Debian 12's linux/landlock.h. */
#define LANDLOCK_FS_REFER	(1ULL << 13)	/* ABI 2 */
#define LANDLOCK_FS_TRUNCATE	(1ULL << 14)	/* ABI 3 */
#define LANDLOCK_FS_IOCTL_DEV	(1ULL << 15)	/* ABI 5 */

enum { LANDLOCK_ABI_SCOPES = 6 };	/* the first that keeps signals in */

/* The ABI of the host, 0 if it has none. */
int landlock_abi(void);

/*
 * A set of rules that allows nothing: no file, no signal or abstract socket outward, and
 * unless @network no TCP, as far as the host can refuse these.  A descriptor, or -errno.
 */
int landlock_new(bool network);
/* The same with what @abi has, or less; landlock_fs() is what it knows of files. */
int landlock_new_abi(int abi, bool network);
uint64_t landlock_fs(int abi);
/* Allows @access (LANDLOCK_ACCESS_FS_*) to, or beneath, what @fd is; what the host does not
 * know is left out.  0 or -errno. */
int landlock_allow(int ruleset, int fd, uint64_t access);
/* Enters it; needs no_new_privs.  Async-signal-safe.  0 or -errno. */
int landlock_enter(int ruleset);

#endif

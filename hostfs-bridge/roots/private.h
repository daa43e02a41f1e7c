/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What finding roots (roots.c), making them of archives (import.c) and their changes (changes.c) share. */
#ifndef UMLCAGE_ROOTS_PRIVATE_H
#define UMLCAGE_ROOTS_PRIVATE_H

#include "hostfs-bridge/roots/roots.h"
#include "umlcage/base/hash.h"

/* SHA-256 of the archive @fd, as noted in @dir while the file is the same. */
int roots_cached_hash(const char *dir, int fd, const char *path, struct progress *progress,
		      char hex[SHA256_HEX + 1], struct error *e);

/* ---- changes.c ---- */

/* The root has moved: its changes are told the new path. */
void changes_moved(const struct share *root, const char *from, char *to);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What finding roots (roots.c) and making them of archives (import.c) share. */
#ifndef UMLCAGE_ROOTS_PRIVATE_H
#define UMLCAGE_ROOTS_PRIVATE_H

#include "hostfs-bridge/roots/roots.h"
#include "umlcage/base/hash.h"

/* SHA-256 of the archive @fd, as noted in @dir while the file is the same. */
int roots_cached_hash(const char *dir, int fd, const char *path, struct progress *progress,
		      char hex[SHA256_HEX + 1], struct error *e);
#endif

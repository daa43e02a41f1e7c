/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything a finished tree depends on, as one hash: the indexes, the options,
 * what hooks and local packages contain, the host's files that are copied in, the
 * kernel.  Two requests with one recipe have one result.
 */
#ifndef ROOTFS_RECIPE_H
#define ROOTFS_RECIPE_H

#include "rootfs/archive.h"
#include "rootfs/options.h"
#include "umlcage/base/error.h"

struct recipe {
	char key[65];	/* sha256 in hexadecimal; "" where nothing may be kept */
};

/*
 * @kernel: what tells kernels apart, its key or path (NULL: no cage is needed).  Where a
 * hook does something outside the tree (copy-out, download, ...) or input cannot be read
 * twice, there is no key.
 */
int recipe_make(const struct fab_options *o, const struct pkg_archive *a, const char *kernel,
		struct recipe *recipe, struct error *e);

#endif

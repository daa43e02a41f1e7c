/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files that a kernel is made from, apart from Linux itself, carried inside
 * the program so that an installed one builds the same kernel as one in the
 * source tree: fragments ("base.config"), "suites", "exclude", the patches
 * ("patches/series", "patches/…") and humfs ("humfs/…").  The table is generated
 * by module.mk, sorted by name.
 */
#ifndef KERNEL_CONFIG_ASSETS_H
#define KERNEL_CONFIG_ASSETS_H

#include <stddef.h>

struct asset {
	const char *name;
	const char *start, *end;
};

extern const struct asset kernel_assets[];	/* ends with a NULL name */

/* NULL if there is none of that name. */
const struct asset *asset_find(const char *name);
/* A copy with a NUL after it, for text; NULL if there is none. */
char *asset_text(const char *name);

#endif

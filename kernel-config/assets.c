// SPDX-License-Identifier: GPL-2.0-or-later
/* The files that kernels are made from: see assets.h. */
#include "kernel-config/assets.h"

#include "umlcage/base/str.h"

const struct asset *asset_find(const char *name)
{
	for (const struct asset *a = kernel_assets; a->name; a++)
		if (str_eq(a->name, name))
			return a;
	return NULL;
}

char *asset_text(const char *name)
{
	const struct asset *a = asset_find(name);

	return a ? xstrndup(a->start, (size_t)(a->end - a->start)) : NULL;
}

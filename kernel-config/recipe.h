/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hashes that name kernels.  What a kernel of each kind is made from is the same for as long
 * as the program is, so its hash is made once, when the program is (recipe-main.c, module.mk).
 */
#ifndef KERNEL_CONFIG_RECIPE_H
#define KERNEL_CONFIG_RECIPE_H

#include <stdbool.h>

#include "kernel-config/assets.h"

/* A kind of kernel, "" or the name of a further fragment ("full"), and its recipe, a sha256. */
struct kernel_kind {
	const char *name, *recipe;
};

extern const struct kernel_kind kernel_kinds[];	/* "" first; ends with a NULL name */

/* Of the kind @name, or of the one without a further fragment if there is none of that name. */
const char *recipe_of_kind(const char *name);

/* The fragments every kernel is made from, in the order in which they are merged. */
extern const char *const recipe_fragments[];
bool recipe_has_fragment(const char *name);

/*
 * sha256 over the default fragments, patches and humfs sources among @assets, and over the
 * fragment @kind.config, if it is one of them; malloc'ed.
 */
char *recipe_hash(const struct asset *assets, const char *kind);
/* The key, malloc'ed; @extra is the text of further fragments, one after the other. */
char *recipe_key(const char *recipe, const char *source_id, const char *compiler, const char *extra);

#endif

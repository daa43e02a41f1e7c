/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The manifest beside a cached kernel, "Field: value" lines, and the hashes that
 * name kernels.
 */
#ifndef KERNEL_CONFIG_MANIFEST_H
#define KERNEL_CONFIG_MANIFEST_H

#include "kernel-config/assets.h"
#include "kernel-config/kernel.h"

/* The text of @k, appended to @out. */
void manifest_format(const struct kernel_info *k, struct strbuf *out);
/*
 * Fills @k (key, version, … but not path and dir) from @text.  Unknown fields are
 * skipped; -EBADMSG if one that is needed is missing or no number.
 */
int manifest_parse(const char *text, struct kernel_info *k, struct error *e);

/* The fragments every kernel is made from, in the order in which they are merged. */
extern const char *const manifest_fragments[];

/*
 * sha256 over the default fragments, patches and humfs sources among @assets, and over the
 * fragment @kind.config, if it is one of them; malloc'ed.
 */
char *manifest_recipe(const struct asset *assets, const char *kind);
/* The key, malloc'ed; @extra is the text of further fragments, one after the other. */
char *manifest_key(const char *recipe, const char *source_id, const char *compiler,
		   const char *extra);

#endif

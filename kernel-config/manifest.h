/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The manifest beside a cached kernel: "Field: value" lines.
 */
#ifndef KERNEL_CONFIG_MANIFEST_H
#define KERNEL_CONFIG_MANIFEST_H

#include "kernel-config/kernel.h"

/* The text of @k, appended to @out. */
void manifest_format(const struct kernel_info *k, struct strbuf *out);
/*
 * Fills @k (key, version, … but not path and dir) from @text.  Unknown fields are
 * skipped; -EBADMSG if one that is needed is missing or not a number.
 */
int manifest_parse(const char *text, struct kernel_info *k, struct error *e);

#endif

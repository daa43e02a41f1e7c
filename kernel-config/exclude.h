/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which files of a source tree are worth having: an ordered list of patterns, see
 * the data file "exclude" next to this for its syntax.
 */
#ifndef KERNEL_CONFIG_EXCLUDE_H
#define KERNEL_CONFIG_EXCLUDE_H

#include <stdbool.h>
#include <stddef.h>

#include "umlcage/base/error.h"

struct exclude_rule {
	char *pattern;
	bool keep;
};

struct exclude {
	struct exclude_rule *v;
	size_t n, cap;
};

#define EXCLUDE_INIT { NULL, 0, 0 }

/* Adds the rules of @text; -EINVAL with "name:line: …" for a line it cannot read. */
int exclude_parse(struct exclude *x, const char *text, const char *name, struct error *e);
/* Whether @path, relative to the top of the tree and without "./", is left out. */
bool exclude_match(const struct exclude *x, const char *path);
void exclude_release(struct exclude *x);
#define cleanup_exclude __attribute__((cleanup(exclude_release)))

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs of the distribution, run in a cage whose root has them. */
#ifndef UMLCAGE_CMD_TOOL_H
#define UMLCAGE_CMD_TOOL_H

#include "umlcage/cmd/boot.h"

/*
 * A root of the cache with @packages (separated by commas) of @suite (NULL: this machine's own, else
 * stable), made on first use, which is shown as @o says; its path is malloc'ed.
 */
int tool_root(const struct boot_options *o, const char *suite, const char *packages, char **path,
	      struct error *e);

#endif

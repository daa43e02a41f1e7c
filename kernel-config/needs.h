/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a configuration would compile of what is not unpacked of a Linux source: said before
 * anything is compiled.
 */
#ifndef KERNEL_CONFIG_NEEDS_H
#define KERNEL_CONFIG_NEEDS_H

#include "kernel-config/config.h"
#include "kernel-config/exclude.h"
#include "umlcage/base/error.h"

/*
 * Looks for the objects that the makefiles of the tree below @path list for symbols of
 * @dotconfig, a finished .config, and whose files @x leaves out (Documentation/kbuild/
 * makefiles.rst; lines that are no plain lists are passed over).  0, or -EINVAL with each
 * symbol and one of its files.
 */
int needs_check(const char *path, const struct exclude *x, const char *dotconfig, struct error *e);

#endif

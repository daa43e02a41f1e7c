/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A directory for each test of kernel-config, which is also its cache: a checked fixture. */
#ifndef TESTS_SUPPORT_KERNEL_TOP_H
#define TESTS_SUPPORT_KERNEL_TOP_H

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/unit.h"
#include "umlcage/base/fd.h"

static char top[UNIT_PATH];

static void make_top(void)
{
	unit_dir(top, "test-kernel");
	setenv("XDG_CACHE_HOME", top, 1);
}

static void remove_top(void)
{
	ck_assert_int_eq(remove_tree(AT_FDCWD, top, NULL), 0);
}

#endif

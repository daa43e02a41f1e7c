// SPDX-License-Identifier: GPL-2.0-or-later
/* A machine's kernel, built where there is none.  Apart from machine.c, which builds nothing. */
#include "umlcage/machine/machine.h"

int machine_kernel(const struct machine *m, const char *mirror, bool build,
		   struct progress *progress, struct kernel_info *k, struct error *e)
{
	struct kernel_request req = { .mirror = mirror, .progress = progress };

	if (!m->kernel && build)
		return kernel_ensure(&req, k, e);

	int ret = machine_find_kernel(m, k, e);

	return ret < 0 ? ret : 0;
}

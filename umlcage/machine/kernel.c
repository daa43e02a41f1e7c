// SPDX-License-Identifier: GPL-2.0-or-later
/* A machine's kernel, built where there is none.  Apart from machine.c, which builds nothing. */
#include "umlcage/machine/machine.h"

int machine_kernel(const struct machine *m, const char *mirror, bool build,
		   struct progress *progress, struct kernel_info *k, struct error *e)
{
	cleanup_strv struct strv kinds = STRV_INIT;
	struct kernel_request req = { .mirror = mirror, .fragments = &kinds, .progress = progress };

	if (m->kernel && kernel_is_kind(m->kernel))
		strv_add(&kinds, m->kernel);
	if ((!m->kernel || kinds.n) && build)
		return kernel_ensure(&req, k, e);

	int ret = machine_find_kernel(m, k, e);

	return ret < 0 ? ret : 0;
}

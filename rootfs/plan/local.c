// SPDX-License-Identifier: GPL-2.0-or-later
/* What the plan has to say about a local package file. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "rootfs/plan/private.h"
#include "umlcage/base/hash.h"

int plan_fill_local(int fd, const char *path, struct plan_package *p, struct error *e)
{
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot read package '%s'", path);
	r = hash_fd(fd, p->sum);
	if (r)
		return err_sys(e, -r, "cannot read package '%s'", path);
	p->path = xstrdup(path);
	p->size = (uint64_t)st.st_size;
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* What the plan has to say about a local package file and apt's configuration. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "rootfs/plan/private.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/hash.h"

int plan_fill_local(const char *path, struct plan_package *p, struct error *e)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot open package '%s'", path);
	r = hash_fd(fd, p->sha256);
	if (r)
		return err_sys(e, -r, "cannot read package '%s'", path);
	p->path = xstrdup(path);
	p->size = (uint64_t)st.st_size;
	return 0;
}

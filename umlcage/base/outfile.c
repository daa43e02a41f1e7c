// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Output files that appear whole or not at all.  An unnamed file (O_TMPFILE)
 * leaves nothing behind whatever kills the process; linkat() cannot replace,
 * so it gets a hidden name for the instant before the rename.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"

static char *hidden_name(const char *name)
{
	return xasprintf(".%.200s.%08x.part", name, (unsigned int)random_u64());
}

int outfile_open(struct outfile *of, int dirfd, const char *path, mode_t mode, struct error *e)
{
	cleanup_free char *dir_copy = xstrdup(path), *name_copy = xstrdup(path);
	const char *dir = dirname(dir_copy), *name = basename(name_copy);

	*of = (struct outfile)OUTFILE_INIT;
	of->dirfd = openat(dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (of->dirfd < 0)
		return err_sys(e, errno, "cannot write '%s': its directory '%s'", path, dir);
	of->fd = openat(of->dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
	if (of->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
		of->tmp = hidden_name(name);
		of->fd = openat(of->dirfd, of->tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	}
	if (of->fd < 0) {
		int errnum = errno;

		free_ptr(&of->tmp);
		close_fd(&of->dirfd);
		return err_sys(e, errnum, "cannot create '%s'", path);
	}
	of->name = xstrdup(name);
	return 0;
}

int outfile_commit(struct outfile *of, struct error *e)
{
	int ret = 0;

	if (fsync(of->fd) < 0 && errno != EINVAL && errno != EROFS) {
		ret = err_sys(e, errno, "cannot write '%s'", of->name);
		goto out_abort;
	}
	/* what was asked to stop does not deliver, however late it was asked */
	if (interrupted()) {
		ret = err_set(e, EINTR, "interrupted");
		goto out_abort;
	}
	if (!of->tmp) {
		char proc[64];

		snprintf(proc, sizeof(proc), "/proc/self/fd/%d", of->fd);
		of->tmp = hidden_name(of->name);
		if (linkat(AT_FDCWD, proc, of->dirfd, of->tmp, AT_SYMLINK_FOLLOW) < 0) {
			ret = err_sys(e, errno, "cannot name '%s'", of->name);
			free_ptr(&of->tmp);
			goto out_abort;
		}
	}
	if (renameat(of->dirfd, of->tmp, of->dirfd, of->name) < 0) {
		ret = err_sys(e, errno, "cannot replace '%s'", of->name);
		goto out_abort;
	}
	free_ptr(&of->tmp);
	(void)fsync(of->dirfd);
out_abort:
	outfile_abort(of);
	return ret;
}

void outfile_abort(struct outfile *of)
{
	if (of->tmp)
		(void)unlinkat(of->dirfd, of->tmp, 0);
	close_fd(&of->fd);
	close_fd(&of->dirfd);
	free_ptr(&of->tmp);
	free_ptr(&of->name);
}

int file_replace(int dirfd, const char *path, const void *data, size_t len, mode_t mode,
		 struct error *e)
{
	cleanup_outfile struct outfile of = OUTFILE_INIT;
	int ret = outfile_open(&of, dirfd, path, mode, e);

	if (ret < 0)
		return ret;
	ret = write_full(of.fd, data, len);
	if (ret < 0)
		return err_sys(e, -ret, "cannot write '%s'", path);
	return outfile_commit(&of, e);
}

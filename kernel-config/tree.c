// SPDX-License-Identifier: GPL-2.0-or-later
/* Writing a source tree: see tree.h.  Unpacking is in unpack.c, copying in copy.c. */
#include "kernel-config/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/str.h"

static bool path_ok(const char *path)
{
	if (!*path || *path == '/')
		return false;
	for (const char *p = path; *p; p += strcspn(p, "/"), p += *p == '/') {
		size_t n = strcspn(p, "/");

		if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
	}
	return path[strlen(path) - 1] != '/';
}

static int open_below(int top, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned int)(flags | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	int fd = (int)syscall(SYS_openat2, top, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

/* Opens (and makes) the folder of @path; t->dir then is it.  Returns the last component. */
static int enter(struct tree *t, const char *path, const char **name, struct error *e)
{
	const char *slash = strrchr(path, '/');
	cleanup_free char *dir = slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup(".");
	int fd;

	*name = slash ? slash + 1 : path;
	if (!path_ok(path))
		return err_set(e, EBADMSG, "the source has a file of an unsafe name '%s'", path);
	if (str_eq(dir, t->dir_name))
		return 0;
	fd = open_below(t->fd, dir, O_RDONLY | O_DIRECTORY);
	for (char *p = dir; fd == -ENOENT && p; ) {
		/* one level after the other, each below the top and no link */
		p = strchr(p, '/');
		if (p)
			*p = '\0';

		const char *last = strrchr(dir, '/');
		cleanup_free char *up = last ? xstrndup(dir, (size_t)(last - dir)) : xstrdup(".");
		cleanup_close int at = open_below(t->fd, up, O_RDONLY | O_DIRECTORY);

		if (at < 0)
			return err_sys(e, -at, "cannot make folder '%s'", dir);
		if (mkdirat(at, last ? last + 1 : dir, 0755) < 0 && errno != EEXIST)
			return err_sys(e, errno, "cannot make folder '%s'", dir);
		if (p)
			*p++ = '/';
		else
			fd = open_below(t->fd, dir, O_RDONLY | O_DIRECTORY);
	}
	if (fd < 0)
		return err_sys(e, -fd, "cannot open folder '%s'", dir);
	close_fd(&t->dir);
	t->dir = fd;
	free(t->dir_name);
	t->dir_name = steal_ptr(&dir);
	return 0;
}

int tree_create(struct tree *t, const char *path, mode_t mode, struct error *e)
{
	const char *name;
	int fd, ret;

	if (t->exclude && exclude_match(t->exclude, path))
		return -ENOENT;
	ret = enter(t, path, &name, e);
	if (ret < 0)
		return ret == -ENOENT ? -EIO : ret;
	fd = openat(t->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    mode & 0100 ? 0755 : 0644);
	if (fd < 0) {
		err_sys(e, errno, "cannot create '%s'", path);
		return errno == ENOENT ? -EIO : -errno;
	}
	t->files++;
	return fd;
}

int tree_symlink(struct tree *t, const char *path, const char *target, struct error *e)
{
	const char *name;
	int ret;

	if (t->exclude && exclude_match(t->exclude, path))
		return 0;
	ret = enter(t, path, &name, e);
	if (ret == 0 && symlinkat(target, t->dir, name) < 0)
		ret = err_sys(e, errno, "cannot create link '%s'", path);
	return ret;
}

static int put(struct tree *t, const char *path, int flags, const void *data, size_t len,
	       struct error *e)
{
	const char *name;
	int ret = enter(t, path, &name, e);

	if (ret < 0)
		return ret;

	cleanup_close int fd = openat(t->dir, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | flags, 0644);

	ret = fd < 0 ? -errno : write_full(fd, data, len);
	return ret < 0 ? err_sys(e, -ret, "cannot write '%s'", path) : 0;
}

int tree_append(struct tree *t, const char *path, const char *text, struct error *e)
{
	return put(t, path, O_APPEND, text, strlen(text), e);
}

int tree_write(struct tree *t, const char *path, const void *data, size_t len, struct error *e)
{
	return put(t, path, O_CREAT | O_TRUNC, data, len, e);
}

void tree_release(struct tree *t)
{
	close_fd(&t->dir);
	free_ptr(&t->dir_name);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Changing what exists in a share: extended attributes, names, removal.  See tree.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "hostfs-bridge/share/private.h"
#include "umlcage/base/fd.h"

int share_setxattr(struct share_tree *t, const char *path, const char *name,
		   const void *value, size_t len, struct error *e)
{
	char host[HUMFS_XATTR_NAME_MAX + 1];
	int ret = humfs_xattr_to_host(name, host);

	if (ret < 0)
		return err_sys(e, -ret, "cannot keep the extended attribute '%s' of '%s'", name,
			       path);

	cleanup_close int fd = share_open_entry(t, path, e);

	if (fd < 0)
		return fd;
	if (value ? fsetxattr(fd, host, value, len, 0) < 0 : fremovexattr(fd, host) < 0)
		return share_xattr_error(e, errno, path);
	return 0;
}

int share_rename(struct share_tree *t, const char *from, const char *to, struct error *e)
{
	const char *name;
	struct stat st;
	int dir = share_parent(t, from, &name, e);

	if (dir < 0)
		return dir;

	cleanup_free char *old_name = xstrdup(name);
	cleanup_close int old = fcntl(dir, F_DUPFD_CLOEXEC, 3);

	if (old < 0)
		return err_sys(e, errno, "cannot rename '%s'", from);
	if (fstatat(old, old_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, errno, "cannot rename '%s'", from);
	dir = share_parent(t, to, &name, e);
	if (dir < 0)
		return dir;
	if (renameat(old, old_name, dir, name) < 0)
		return err_sys(e, errno, "cannot rename '%s' to '%s'", from, to);
	/* files are not in the table; a link to a directory may be */
	if (!S_ISREG(st.st_mode))
		share_tree_forget(t);
	return 0;
}

int share_remove(struct share_tree *t, const char *path, struct error *e)
{
	const char *name;
	int dir = share_parent(t, path, &name, e);

	if (dir == -ENOENT || dir == -ENOTDIR) {
		err_release(e);
		return 0;
	}
	if (dir < 0)
		return dir;
	if (!*name)
		return err_set(e, EINVAL, "cannot remove '%s': it is the root of the share", path);
	if (unlinkat(dir, name, 0) == 0)
		return 0;

	int ret = remove_tree(dir, name, e);

	share_tree_forget(t);
	return ret;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Metadata of open files: between struct share_attr, the codec and the host's xattrs. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "hostfs-bridge/share/private.h"
#include "umlcage/base/str.h"

int share_meta_of_attr(const struct share_attr *a, struct humfs_meta *m)
{
	int type = humfs_type_of_mode(a->mode);

	if (type < 0)
		return type;
	*m = (struct humfs_meta){ a->uid, a->gid, a->mode & 07777, (enum humfs_type)type, 0, 0 };
	if (m->type == HUMFS_BLOCK || m->type == HUMFS_CHAR) {
		m->major = a->major;
		m->minor = a->minor;
	}
	if (m->type == HUMFS_SYMLINK)
		m->mode = 0777;
	return 0;
}

void share_attr_of_meta(const struct humfs_meta *m, struct share_attr *a)
{
	*a = (struct share_attr){
		.mode = m->mode | humfs_type_bits(m->type),
		.uid = m->uid, .gid = m->gid,
		.major = m->major, .minor = m->minor,
		.mtime = { 0, UTIME_OMIT },
	};
}

int share_meta_write(int fd, const struct humfs_meta *m, bool force)
{
	char text[HUMFS_META_MAX];
	int len;

	if (!force && !humfs_meta_needed(m))
		return 0;
	len = humfs_meta_format(m, text);
	if (len < 0)
		return len;
	return fsetxattr(fd, HUMFS_META_XATTR, text, (size_t)len, 0) < 0 ? -errno : 0;
}

int share_meta_read(int fd, uint32_t host_mode, struct humfs_meta *m)
{
	char text[HUMFS_META_READ_MAX];
	int host = humfs_type_of_mode(host_mode);
	ssize_t len;

	if (host < 0)
		return host;
	len = fgetxattr(fd, HUMFS_META_XATTR, text, sizeof(text));
	if (len < 0 && errno == ERANGE)
		return -EINVAL;
	if (len < 0 && errno != ENODATA && errno != EOPNOTSUPP)
		return -errno;
	if (len < 0) {
		humfs_meta_default((enum humfs_type)host, host_mode & 07777, m);
		return 0;
	}
	if (humfs_meta_parse(text, (size_t)len, (enum humfs_type)host, m) < 0 ||
	    !humfs_meta_fits(m, (enum humfs_type)host))
		return -EINVAL;
	return 1;
}

int share_xattr_error(struct error *e, int errnum, const char *path)
{
	switch (errnum) {
	case EOPNOTSUPP:
		return err_set(e, errnum, "cannot record the owner of '%s': its filesystem has no "
			       "user extended attributes; put the share on ext4, xfs, btrfs, or a "
			       "tmpfs of Linux 6.6 or newer", path);
	case ERANGE:
	case E2BIG:
		return err_set(e, errnum, "cannot record an extended attribute of '%s': it is "
			       "longer than the host takes", path);
	case EPERM:
		return err_set(e, errnum, "cannot record the metadata of '%s': the host does not "
			       "permit it (not your file, or immutable)", path);
	default:
		return err_sys(e, errnum, "cannot record the metadata of '%s'", path);
	}
}

int share_fstat(int fd, const char *path, struct share_attr *a, struct error *e)
{
	struct humfs_meta m = { 0 };
	struct stat st;
	int ret;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot stat '%s'", path);
	ret = share_meta_read(fd, st.st_mode, &m);
	if (ret == -EINVAL)
		return err_set(e, EINVAL, "bad metadata on '%s'; see 'umlcage share verify'", path);
	if (ret < 0)
		return err_sys(e, -ret, "cannot read the metadata of '%s'", path);
	share_attr_of_meta(&m, a);
	a->mtime = st.st_mtim;
	return 0;
}

int share_attr_write_xattrs(int fd, const char *path, const struct share_attr *a, struct error *e)
{
	for (size_t i = 0; i < a->nxattrs; i++) {
		const struct share_xattr *x = &a->xattrs[i];
		char host[HUMFS_XATTR_NAME_MAX + 1];
		int ret = humfs_xattr_to_host(x->name, host);

		if (ret < 0)
			return err_sys(e, -ret, "cannot keep the extended attribute '%s' of '%s'",
				       x->name, path);
		if (fsetxattr(fd, host, x->value, x->len, 0) < 0)
			return share_xattr_error(e, errno, path);
	}
	return 0;
}

int share_fsetattr(int fd, const char *path, const struct share_attr *a, struct error *e)
{
	return share_attr_write(fd, path, a, false, e);
}

int share_attr_write(int fd, const char *path, const struct share_attr *a, bool force, struct error *e)
{
	struct humfs_meta m;
	struct stat st;
	int ret;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot stat '%s'", path);
	ret = share_meta_of_attr(a, &m);
	if (ret == 0 && !humfs_meta_fits(&m, (enum humfs_type)humfs_type_of_mode(st.st_mode)))
		ret = -EINVAL;
	if (ret < 0)
		return err_sys(e, -ret, "cannot record the type of '%s'", path);
	/* a user xattr can only be set on what its owner may write to */
	if (!(st.st_mode & 0200) && fchmod(fd, (st.st_mode & 0777) | 0600) == 0)
		st.st_mode |= 0600;
	/* the record before the mode: what is visible between the two is the stricter one */
	force |= m.type == HUMFS_SYMLINK;
	ret = share_meta_write(fd, &m, force);
	if (ret == 0 && !force && !humfs_meta_needed(&m) &&
	    fremovexattr(fd, HUMFS_META_XATTR) < 0 && errno != ENODATA)
		ret = -errno;
	if (ret < 0)
		return share_xattr_error(e, -ret, path);

	uint32_t mode = m.type == HUMFS_SYMLINK ? 0600 : humfs_host_mode(&m);

	if ((st.st_mode & 07777) != mode && fchmod(fd, mode) < 0)
		return err_sys(e, errno, "cannot set the mode of '%s'", path);
	return share_attr_write_xattrs(fd, path, a, e);
}

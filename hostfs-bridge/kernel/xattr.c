// SPDX-License-Identifier: GPL-2.0-only
/*
 * humfs: extended attributes.
 *
 * The guest's user.* are the host's; security.*, trusted.* and the ACLs are kept
 * under a prefix of their own (see meta.h).  A symbolic link of the host takes
 * none and is turned into a file first.
 */
#include <linux/capability.h>
#include <linux/slab.h>
#include <linux/xattr.h>
#include "humfs_kern.h"

/* No attributes ever: nodes of the host itself. */
static bool takes_none(const struct inode *inode)
{
	return test_bit(HUMFS_FOREIGN, &HUMFS_I(inode)->flags);
}

int humfs_get_host_xattr(struct inode *inode, const char *attr, void *buf, size_t size)
{
	int fd = humfs_get_fd(inode, false);
	int len;

	if (fd < 0)
		return fd;
	len = humfs_host_getxattr(fd, attr, buf, size);
	humfs_put_fd(inode);
	return len;
}

/* A NULL @buf removes the attribute. */
int humfs_set_host_xattr(struct dentry *dentry, struct inode *inode, const char *attr,
			 const void *buf, size_t size, int flags)
{
	struct humfs_meta meta;
	int fd, err;

	if (takes_none(inode))
		return -EOPNOTSUPP;
	if (test_bit(HUMFS_REAL_SYMLINK, &HUMFS_I(inode)->flags)) {
		if (humfs_plain(inode))
			return -EOPNOTSUPP;
		if (!buf || (flags & XATTR_REPLACE))
			return -ENODATA;
		humfs_read_meta(inode, &meta);
		err = humfs_convert_symlink(dentry, inode, &meta);
		if (err)
			return err;
	}
	fd = humfs_get_fd(inode, false);
	if (fd < 0)
		return fd;
	if (buf) {
		set_bit(HUMFS_HAS_XATTRS, &HUMFS_I(inode)->flags);
		err = humfs_host_setxattr(fd, attr, buf, size, flags);
	} else {
		err = humfs_host_removexattr(fd, attr);
	}
	humfs_put_fd(inode);
	humfs_changed(inode);
	return err;
}

/* The host's name of an attribute that the VFS has split in two. */
static int host_name(const struct xattr_handler *handler, struct inode *inode, const char *name,
		     char *host)
{
	if (humfs_plain(inode) && strcmp(handler->prefix, XATTR_USER_PREFIX))
		return -EOPNOTSUPP;
	return humfs_xattr_to_host(xattr_full_name(handler, name), host);
}

static int get_xattr(const struct xattr_handler *handler, struct dentry *dentry,
		     struct inode *inode, const char *name, void *buf, size_t size)
{
	char host[HUMFS_XATTR_NAME_MAX + 1];
	int len;

	len = host_name(handler, inode, name, host);
	if (len == -EPERM || len == -ERANGE)
		return -ENODATA;
	if (len < 0)
		return len;
	if (!test_bit(HUMFS_HAS_XATTRS, &HUMFS_I(inode)->flags))
		return -ENODATA;
	len = humfs_get_host_xattr(inode, host, buf, size);
	return len;
}

static int set_xattr(const struct xattr_handler *handler, struct mnt_idmap *idmap,
		     struct dentry *dentry, struct inode *inode, const char *name,
		     const void *buf, size_t size, int flags)
{
	char host[HUMFS_XATTR_NAME_MAX + 1];
	int err;

	err = host_name(handler, inode, name, host);
	if (err < 0)
		return err;
	if (!buf && !test_bit(HUMFS_HAS_XATTRS, &HUMFS_I(inode)->flags))
		return -ENODATA;
	err = humfs_set_host_xattr(dentry, inode, host, buf, size, flags);
	if (!err)
		inode_set_ctime_current(inode);
	return err;
}

/* The guest's names among the host's, in place: a name never gets longer. */
static ssize_t filter_names(struct inode *inode, char *names, ssize_t len)
{
	bool trusted = ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN);
	const char *name, *guest;
	char *out = names;
	size_t size;

	for (name = names; name < names + len; name += size) {
		size = strlen(name) + 1;
		guest = humfs_xattr_to_guest(name);
		if (!guest || (guest != name && humfs_plain(inode)))
			continue;
		if (!trusted && !strncmp(guest, XATTR_TRUSTED_PREFIX, XATTR_TRUSTED_PREFIX_LEN))
			continue;
		memmove(out, guest, strlen(guest) + 1);
		out += strlen(out) + 1;
	}
	return out - names;
}

ssize_t humfs_listxattr(struct dentry *dentry, char *buf, size_t size)
{
	struct inode *inode = d_inode(dentry);
	ssize_t len;
	char *names;
	int fd;

	if (!test_bit(HUMFS_HAS_XATTRS, &HUMFS_I(inode)->flags))
		return 0;
	fd = humfs_get_fd(inode, false);
	if (fd < 0)
		return fd;
	names = kvmalloc(XATTR_LIST_MAX + 1, GFP_KERNEL);
	len = names ? humfs_host_listxattr(fd, names, XATTR_LIST_MAX) : -ENOMEM;
	humfs_put_fd(inode);
	if (len > 0) {
		names[len] = '\0';
		len = filter_names(inode, names, len);
		if (size && len > size)
			len = -ERANGE;
		else if (size)
			memcpy(buf, names, len);
	}
	kvfree(names);
	return len;
}

static const struct xattr_handler user_handler = {
	.prefix	= XATTR_USER_PREFIX,
	.get	= get_xattr,
	.set	= set_xattr,
};

static const struct xattr_handler trusted_handler = {
	.prefix	= XATTR_TRUSTED_PREFIX,
	.get	= get_xattr,
	.set	= set_xattr,
};

static const struct xattr_handler security_handler = {
	.prefix	= XATTR_SECURITY_PREFIX,
	.get	= get_xattr,
	.set	= set_xattr,
};

const struct xattr_handler * const humfs_xattr_handlers[] = {
	&user_handler,
	&trusted_handler,
	&security_handler,
	NULL,
};

// SPDX-License-Identifier: GPL-2.0-only
/*
 * humfs: POSIX ACLs, kept like any other attribute of the guest in the form
 * that getxattr() shows.
 */
#include <linux/fs.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <linux/slab.h>
#include "humfs_kern.h"

static const char *host_name(int type)
{
	return type == ACL_TYPE_ACCESS ? HUMFS_XATTR_PREFIX XATTR_NAME_POSIX_ACL_ACCESS :
					 HUMFS_XATTR_PREFIX XATTR_NAME_POSIX_ACL_DEFAULT;
}

struct posix_acl *humfs_get_acl(struct inode *inode, int type, bool rcu)
{
	struct posix_acl *acl;
	void *value;
	int len;

	if (!test_bit(HUMFS_HAS_XATTRS, &HUMFS_I(inode)->flags))
		return NULL;
	if (rcu)
		return ERR_PTR(-ECHILD);
	len = humfs_get_host_xattr(inode, host_name(type), NULL, 0);
	if (len == -ENODATA || len == -EOPNOTSUPP)
		return NULL;
	if (len < 0)
		return ERR_PTR(len);
	value = kmalloc(len, GFP_KERNEL);
	if (!value)
		return ERR_PTR(-ENOMEM);
	len = humfs_get_host_xattr(inode, host_name(type), value, len);
	acl = len < 0 ? ERR_PTR(len) : posix_acl_from_xattr(&init_user_ns, value, len);
	kfree(value);
	return acl;
}

int humfs_store_acl(int fd, struct posix_acl *acl, int type)
{
	size_t len;
	void *value;
	int err;

	if (!acl)
		return 0;
	value = posix_acl_to_xattr(&init_user_ns, acl, &len, GFP_KERNEL);
	if (!value)
		return -ENOMEM;
	err = humfs_host_setxattr(fd, host_name(type), value, len, 0);
	kfree(value);
	return err;
}

static int set_or_remove(struct dentry *dentry, struct posix_acl *acl, int type)
{
	struct inode *inode = d_inode(dentry);
	void *value = NULL;
	size_t len = 0;
	int err;

	if (!acl && !test_bit(HUMFS_HAS_XATTRS, &HUMFS_I(inode)->flags))
		return 0;
	if (acl) {
		value = posix_acl_to_xattr(&init_user_ns, acl, &len, GFP_KERNEL);
		if (!value)
			return -ENOMEM;
	}
	err = humfs_set_host_xattr(dentry, inode, host_name(type), value, len, 0);
	kfree(value);
	return err == -ENODATA && !acl ? 0 : err;
}

int humfs_set_acl(struct mnt_idmap *idmap, struct dentry *dentry, struct posix_acl *acl,
		  int type)
{
	struct inode *inode = d_inode(dentry);
	umode_t mode = inode->i_mode;
	struct humfs_meta meta;
	int err;

	if (humfs_plain(inode))
		return -EOPNOTSUPP;
	if (type == ACL_TYPE_ACCESS && acl) {
		err = posix_acl_update_mode(idmap, inode, &mode, &acl);
		if (err)
			return err;
	}
	if (type == ACL_TYPE_DEFAULT && !S_ISDIR(inode->i_mode))
		return acl ? -EACCES : 0;
	err = set_or_remove(dentry, acl, type);
	if (err)
		return err;
	if (mode != inode->i_mode) {
		humfs_read_meta(inode, &meta);
		meta.mode = mode & 07777;
		err = humfs_store_meta(dentry, inode, &meta);
		if (err)
			return err;
		inode->i_mode = mode;
	}
	inode_set_ctime_current(inode);
	set_cached_acl(inode, type, acl);
	return 0;
}

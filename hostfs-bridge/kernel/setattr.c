// SPDX-License-Identifier: GPL-2.0-only
/*
 * humfs: attributes of inodes.
 *
 * Owner, mode and size reach the host before the call returns; the record in
 * the extended attribute is what counts, and the host's own mode follows it.
 * Every step leaves either the old or the new state behind if it is the last.
 */
#include <linux/pagemap.h>
#include <linux/posix_acl.h>
#include <linux/xattr.h>
#include "humfs_kern.h"

static int store_recorded(struct inode *inode, int fd, const struct humfs_meta *meta)
{
	struct humfs_inode *hi = HUMFS_I(inode);
	bool needed = humfs_meta_needed(meta) || inode == d_inode(inode->i_sb->s_root);
	unsigned int host_mode = humfs_host_mode(meta);
	char text[HUMFS_META_MAX];
	int err = 0;
	int len;

	if (needed) {
		len = humfs_meta_format(meta, text);
		if (len < 0)
			return len;
		err = humfs_host_setxattr(fd, HUMFS_META_XATTR, text, len, 0);
		if (err)
			return err;
		set_bit(HUMFS_HAS_META, &hi->flags);
	}
	if (host_mode != hi->host_mode) {
		err = humfs_host_chmod(fd, host_mode);
		if (!err)
			hi->host_mode = host_mode;
		else if (needed)
			err = 0;	/* the record counts */
	}
	if (!err && !needed && test_and_clear_bit(HUMFS_HAS_META, &hi->flags)) {
		err = humfs_host_removexattr(fd, HUMFS_META_XATTR);
		if (err == -ENODATA)
			err = 0;
		if (err)
			set_bit(HUMFS_HAS_META, &hi->flags);
	}
	return err;
}

int humfs_store_meta(struct dentry *dentry, struct inode *inode, const struct humfs_meta *meta)
{
	int err, fd;

	if (humfs_plain(inode))
		return humfs_store_plain(inode, meta);
	if (test_bit(HUMFS_REAL_SYMLINK, &HUMFS_I(inode)->flags))
		return humfs_meta_needed(meta) ? humfs_convert_symlink(dentry, inode, meta) : 0;
	fd = humfs_get_fd(inode, false);
	if (fd < 0)
		return fd;
	err = store_recorded(inode, fd, meta);
	humfs_put_fd(inode);
	return err;
}

/* What owner and mode will be once setattr_copy() is done. */
static void new_meta(struct mnt_idmap *idmap, struct inode *inode, const struct iattr *attr,
		     struct humfs_meta *meta)
{
	struct user_namespace *ns = i_user_ns(inode);

	humfs_read_meta(inode, meta);
	if (attr->ia_valid & ATTR_UID)
		meta->uid = from_kuid(ns, from_vfsuid(idmap, ns, attr->ia_vfsuid));
	if (attr->ia_valid & ATTR_GID)
		meta->gid = from_kgid(ns, from_vfsgid(idmap, ns, attr->ia_vfsgid));
	if (attr->ia_valid & ATTR_MODE)
		meta->mode = attr->ia_mode & 07777;
}

/*
 * Times that somebody chose go to the host at once, those of now when it is
 * convenient.  The other one goes along, so that none has to follow.
 */
static int store_times(struct inode *inode, const struct iattr *attr)
{
	struct humfs_time atime = humfs_time(inode_get_atime(inode));
	struct humfs_time mtime = humfs_time(inode_get_mtime(inode));
	bool both = !humfs_plain(inode);

	if (!(attr->ia_valid & (ATTR_ATIME_SET | ATTR_MTIME_SET)))
		return 0;
	if (attr->ia_valid & ATTR_ATIME)
		atime = humfs_time(attr->ia_atime);
	if (attr->ia_valid & ATTR_MTIME)
		mtime = humfs_time(attr->ia_mtime);
	return humfs_store_times(inode, both || (attr->ia_valid & ATTR_ATIME_SET) ? &atime : NULL,
				 both || (attr->ia_valid & ATTR_MTIME_SET) ? &mtime : NULL);
}

int humfs_setattr(struct mnt_idmap *idmap, struct dentry *dentry, struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	struct humfs_meta meta;
	int err;

	err = setattr_prepare(idmap, dentry, attr);
	if (err)
		return err;
	if (attr->ia_valid & (ATTR_UID | ATTR_GID | ATTR_MODE)) {
		new_meta(idmap, inode, attr, &meta);
		err = humfs_store_meta(dentry, inode, &meta);
		if (err)
			return err;
	}
	if ((attr->ia_valid & ATTR_SIZE) && attr->ia_size != i_size_read(inode)) {
		err = humfs_set_size(inode, attr->ia_size);
		if (err)
			return err;
		/* truncate() leaves this to the filesystem, ftruncate() and open() do not. */
		if (!(attr->ia_valid & ATTR_MTIME)) {
			inode_set_mtime_to_ts(inode, inode_set_ctime_current(inode));
			mark_inode_dirty_sync(inode);
		}
	}
	err = store_times(inode, attr);
	if (err)
		return err;
	setattr_copy(idmap, inode, attr);
	if (attr->ia_valid & (ATTR_ATIME | ATTR_MTIME))
		mark_inode_dirty_sync(inode);
	if (attr->ia_valid & ATTR_MODE)
		err = posix_acl_chmod(idmap, dentry, inode->i_mode);
	return err;
}

/*
 * How much room a file takes is only asked for when somebody wants to know; in
 * plain mode, everything is.
 */
static void ask_host(struct inode *inode)
{
	struct humfs_stat st;

	if (humfs_ask_stat(inode, &st))
		return;
	if (humfs_plain(inode)) {
		humfs_refresh(inode, &st);
		return;
	}
	spin_lock(&inode->i_lock);
	inode->i_blocks = st.blocks;
	if (S_ISDIR(inode->i_mode))
		i_size_write(inode, st.size);
	spin_unlock(&inode->i_lock);
}

int humfs_getattr(struct mnt_idmap *idmap, const struct path *path, struct kstat *stat,
		  u32 request_mask, unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);
	struct humfs_inode *hi = HUMFS_I(inode);

	if (humfs_plain(inode) || ((request_mask & (STATX_BLOCKS | STATX_SIZE)) &&
				   test_and_clear_bit(HUMFS_BLOCKS_STALE, &hi->flags)))
		ask_host(inode);
	generic_fillattr(idmap, request_mask, inode, stat);
	stat->btime = hi->btime;
	stat->result_mask |= STATX_BTIME;
	return 0;
}

const struct inode_operations humfs_file_iops = {
	.setattr	= humfs_setattr,
	.getattr	= humfs_getattr,
	.listxattr	= humfs_listxattr,
	.get_inode_acl	= humfs_get_acl,
	.set_acl	= humfs_set_acl,
};

const struct inode_operations humfs_special_iops = {
	.setattr	= humfs_setattr,
	.getattr	= humfs_getattr,
	.listxattr	= humfs_listxattr,
	.get_inode_acl	= humfs_get_acl,
	.set_acl	= humfs_set_acl,
};

const struct inode_operations humfs_symlink_iops = {
	.get_link	= simple_get_link,
	.setattr	= humfs_setattr,
	.getattr	= humfs_getattr,
	.listxattr	= humfs_listxattr,
};

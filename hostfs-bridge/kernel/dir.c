// SPDX-License-Identifier: GPL-2.0-only
/*
 * humfs: looking up, making and removing names.
 */
#include <linux/fs.h>
#include <linux/posix_acl.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/version.h>
#include "humfs_kern.h"

void humfs_touch_dir(struct inode *dir)
{
	inode_set_mtime_to_ts(dir, inode_set_ctime_current(dir));
	humfs_changed(dir);
	mark_inode_dirty_sync(dir);
}

/* Some hosts do not count subdirectories; their directories stay at 1. */
void humfs_count_subdir(struct inode *dir, int by)
{
	if (by > 0 && dir->i_nlink >= 2)
		inc_nlink(dir);
	else if (by < 0 && dir->i_nlink > 2)
		drop_nlink(dir);
}

int humfs_before_unlink(struct dentry *dentry)
{
	return d_count(dentry) > 1 ? humfs_pin(d_inode(dentry)) : 0;
}

void humfs_incomplete(struct inode *dir)
{
	struct humfs_inode *hi = HUMFS_I(dir);

	spin_lock(&hi->complete_lock);
	hi->forgotten++;
	clear_bit(HUMFS_COMPLETE, &hi->flags);
	spin_unlock(&hi->complete_lock);
}

/*
 * A directory whose names all have dentries, since it was made here or read from
 * one end to the other, is one no longer when the first of them is forgotten.
 * What has been removed, or never was, does not count.  This comes before the
 * dentry cannot be found any more.
 */
static void prune_dentry(struct dentry *dentry)
{
	if (!IS_ROOT(dentry) && !d_unhashed(dentry) && d_really_is_positive(dentry))
		humfs_incomplete(d_inode(dentry->d_parent));
}

const struct dentry_operations humfs_dops = {
	.d_prune	= prune_dentry,
};

static struct dentry *humfs_lookup(struct inode *dir, struct dentry *dentry, unsigned int flags)
{
	struct inode *inode;
	int fd;

	if (dentry->d_name.len > NAME_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	if (test_bit(HUMFS_COMPLETE, &HUMFS_I(dir)->flags))
		return d_splice_alias(NULL, dentry);
	fd = humfs_get_fd(dir, false);
	if (fd < 0)
		return ERR_PTR(fd);
	inode = humfs_find(dir->i_sb, fd, dentry->d_name.name);
	humfs_put_fd(dir);
	return d_splice_alias(inode == ERR_PTR(-ENOENT) ? NULL : inode, dentry);
}

/* What is about to be made. */
struct new_file {
	struct humfs_meta meta;
	const char *name;	/* NULL: a file without one */
	const char *link;	/* target of a symbolic link */
	struct posix_acl *acl;
	struct posix_acl *default_acl;
	int fd;			/* of the new host file, -1 if it was not opened */
};

static int init_new(struct new_file *new, struct mnt_idmap *idmap, struct inode *dir,
		    umode_t mode, dev_t rdev)
{
	int err;

	err = posix_acl_create(dir, &mode, &new->default_acl, &new->acl);
	if (err)
		return err;
	new->meta = (struct humfs_meta){
		.uid = from_kuid(&init_user_ns, mapped_fsuid(idmap, i_user_ns(dir))),
		.gid = from_kgid(&init_user_ns, mapped_fsgid(idmap, i_user_ns(dir))),
		.type = humfs_type_of_mode(mode),
		.major = MAJOR(rdev),
		.minor = MINOR(rdev),
	};
	if (dir->i_mode & S_ISGID) {
		new->meta.gid = i_gid_read(dir);
		if (S_ISDIR(mode))
			mode |= S_ISGID;
	}
	new->meta.mode = mode & 07777;
	return 0;
}

/* Makes the host's file; new->fd is open on it if something is still to be written. */
static int make_host_file(struct new_file *new, int dirfd)
{
	unsigned int mode = humfs_host_mode(&new->meta);

	if (!new->name)
		new->fd = humfs_host_tmpfile(dirfd, mode);
	else
		new->fd = humfs_host_create(dirfd, new->name, mode);
	if (new->fd < 0)
		return new->fd;
	return new->link ? humfs_host_write_all(new->fd, new->link, strlen(new->link)) : 0;
}

static int make_host_dir(struct new_file *new, int dirfd)
{
	int err = humfs_host_mkdir(dirfd, new->name, humfs_host_mode(&new->meta));

	if (err)
		return err;
	new->fd = humfs_host_open(dirfd, new->name, HUMFS_OPEN_DIR);
	if (new->fd < 0)
		humfs_host_unlink(dirfd, new->name, 1);
	return new->fd < 0 ? new->fd : 0;
}

static int make_host(struct new_file *new, int dirfd, bool plain)
{
	new->fd = -1;
	if (new->meta.type == HUMFS_DIR)
		return make_host_dir(new, dirfd);
	if (new->link && (plain || humfs_host_type(&new->meta) == HUMFS_SYMLINK))
		return humfs_host_symlink(new->link, dirfd, new->name);
	if (plain && (new->meta.type == HUMFS_PIPE || new->meta.type == HUMFS_SOCKET))
		return humfs_host_mknod(dirfd, new->name, humfs_type_bits(new->meta.type) |
							  new->meta.mode);
	if (plain && new->meta.type != HUMFS_FILE)
		return -EPERM;
	return make_host_file(new, dirfd);
}

/* Writes what the host's file cannot say by itself, and finds out what it became. */
static int record_new(struct new_file *new, int dirfd, bool plain, struct humfs_stat *st)
{
	char text[HUMFS_META_MAX];
	unsigned int mode;
	int err = 0;
	int len;

	if (!plain && humfs_meta_needed(&new->meta)) {
		len = humfs_meta_format(&new->meta, text);
		err = humfs_host_setxattr(new->fd, HUMFS_META_XATTR, text, len, 0);
	}
	if (!err && new->fd >= 0)
		err = humfs_store_acl(new->fd, new->acl, ACL_TYPE_ACCESS);
	if (!err && new->fd >= 0)
		err = humfs_store_acl(new->fd, new->default_acl, ACL_TYPE_DEFAULT);
	if (!err && new->fd >= 0)
		err = humfs_host_stat(new->fd, st);
	else if (!err)
		err = humfs_host_stat_name(dirfd, new->name, st);
	if (err || (new->meta.type != HUMFS_FILE && new->meta.type != HUMFS_DIR))
		return err;

	/* The host's umask may have taken something away, a set-id directory added it. */
	mode = plain ? new->meta.mode : humfs_host_mode(&new->meta);
	if ((st->mode & 07777) == mode)
		return 0;
	err = humfs_host_chmod(new->fd, mode);
	if (!err && (mode & 07000))
		return humfs_host_stat(new->fd, st);
	if (!err)
		st->mode = (st->mode & ~07777) | mode;
	return err;
}

/* In plain mode a file is whose the host says. */
static int own_plain(struct new_file *new, struct humfs_share *share, struct humfs_stat *st)
{
	struct humfs_meta now;
	int err;

	humfs_plain_meta(share, st, &now);
	if (new->fd >= 0 && share->host_uid == 0) {
		err = humfs_plain_chown(share, new->fd, &now, &new->meta);
		if (!err)
			err = humfs_host_stat(new->fd, st);
		if (err)
			return err;
	}
	humfs_plain_meta(share, st, &new->meta);
	return 0;
}

static struct inode *make_inode(struct new_file *new, struct inode *dir,
				const struct humfs_stat *st)
{
	struct inode *inode = humfs_iget_new(dir->i_sb, &new->meta, st, new->link);
	struct humfs_inode *hi;

	if (IS_ERR(inode))
		return inode;
	hi = HUMFS_I(inode);
	if (!humfs_plain(dir) && humfs_meta_needed(&new->meta))
		set_bit(HUMFS_HAS_META, &hi->flags);
	if (new->acl || new->default_acl)
		set_bit(HUMFS_HAS_XATTRS, &hi->flags);
	if (new->acl)
		set_cached_acl(inode, ACL_TYPE_ACCESS, new->acl);
	if (new->default_acl)
		set_cached_acl(inode, ACL_TYPE_DEFAULT, new->default_acl);
	if (new->fd >= 0)
		humfs_adopt_fd(inode, new->fd, new->meta.type != HUMFS_DIR);
	else if (test_bit(HUMFS_FOREIGN, &hi->flags))
		set_bit(HUMFS_OWN_NODE, &hi->flags);
	if (S_ISDIR(inode->i_mode) && !humfs_plain(dir))
		set_bit(HUMFS_COMPLETE, &hi->flags);
	return inode;
}

/* Makes it on the host and here, or leaves nothing behind. */
static struct inode *make_new(struct new_file *new, struct inode *dir)
{
	bool plain = humfs_plain(dir);
	struct humfs_stat st;
	struct inode *inode;
	int dirfd, err;

	err = humfs_take_all_room(HUMFS_FILE_ROOM);
	if (err) {
		inode = ERR_PTR(err);
		goto out_acl;
	}
	dirfd = humfs_get_fd(dir, false);
	if (dirfd < 0) {
		inode = ERR_PTR(dirfd);
		goto out_room;
	}
	err = make_host(new, dirfd, plain);
	if (err == -EMFILE && humfs_shrink_fds())
		err = make_host(new, dirfd, plain);
	inode = ERR_PTR(err);
	if (err && new->fd < 0)
		goto out_fd;
	if (!err)
		err = record_new(new, dirfd, plain, &st);
	if (!err && plain)
		err = own_plain(new, humfs_share_of(dir->i_sb), &st);
	inode = err ? ERR_PTR(err) : make_inode(new, dir, &st);
	if (!IS_ERR(inode))
		goto out_fd;
	if (new->fd >= 0)
		humfs_host_close(new->fd);
	if (new->name)
		humfs_host_unlink(dirfd, new->name, new->meta.type == HUMFS_DIR);
out_fd:
	humfs_put_fd(dir);
out_room:
	if (IS_ERR(inode))
		humfs_give_room(HUMFS_FILE_ROOM);
out_acl:
	posix_acl_release(new->acl);
	posix_acl_release(new->default_acl);
	return inode;
}

static int make_node(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry,
		     umode_t mode, dev_t rdev, const char *link)
{
	struct new_file new = { .name = dentry->d_name.name, .link = link };
	struct inode *inode;
	int err;

	if (dentry->d_name.len > NAME_MAX)
		return -ENAMETOOLONG;
	err = init_new(&new, idmap, dir, mode, rdev);
	if (err)
		return err;
	inode = make_new(&new, dir);
	if (inode == ERR_PTR(-EEXIST)) {	/* somebody made it on the host */
		humfs_incomplete(dir);
		d_drop(dentry);
	}
	if (IS_ERR(inode))
		return PTR_ERR(inode);
	if (S_ISDIR(mode))
		humfs_count_subdir(dir, 1);
	humfs_touch_dir(dir);
	d_instantiate(dentry, inode);
	return 0;
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 3, 0)
static int humfs_create(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry,
			umode_t mode)
#else
static int humfs_create(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry,
			umode_t mode, bool excl)
#endif
{
	return make_node(idmap, dir, dentry, mode | S_IFREG, 0, NULL);
}

static int humfs_mknod(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry,
		       umode_t mode, dev_t rdev)
{
	if (!(mode & S_IFMT))
		mode |= S_IFREG;
	return make_node(idmap, dir, dentry, mode, rdev, NULL);
}

static struct dentry *humfs_mkdir(struct mnt_idmap *idmap, struct inode *dir,
				  struct dentry *dentry, umode_t mode)
{
	return ERR_PTR(make_node(idmap, dir, dentry, mode | S_IFDIR, 0, NULL));
}

static int humfs_symlink(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry,
			 const char *target)
{
	return make_node(idmap, dir, dentry, S_IFLNK | 0777, 0, target);
}

static int humfs_tmpfile(struct mnt_idmap *idmap, struct inode *dir, struct file *file,
			 umode_t mode)
{
	struct new_file new = {};
	struct inode *inode;
	int err;

	err = init_new(&new, idmap, dir, mode | S_IFREG, 0);
	if (!err) {
		inode = make_new(&new, dir);
		err = PTR_ERR_OR_ZERO(inode);
	}
	if (err == -EISDIR || err == -ENOENT || err == -EINVAL)
		err = -EOPNOTSUPP;
	if (!err)
		err = humfs_pin(inode);
	if (!err) {
		set_nlink(inode, 1);
		d_tmpfile(file, inode);
	}
	return finish_open_simple(file, err);
}

/* Another name for an inode, by the one it has or by its descriptor. */
static int link_host(struct dentry *old, struct inode *inode, int dirfd, const char *name)
{
	struct humfs_place place;
	int fd, err;

	if (!inode->i_nlink || d_unhashed(old) || humfs_locate(inode, &place)) {
		fd = humfs_get_fd(inode, false);
		if (fd < 0)
			return fd;
		err = humfs_host_link_fd(fd, dirfd, name);
		humfs_put_fd(inode);
		return err;
	}
	err = humfs_host_link(place.dirfd, place.name, dirfd, name);
	humfs_unlocate(inode, &place);
	return err;
}

static int humfs_link(struct dentry *old, struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = d_inode(old);
	struct humfs_meta meta;
	int err, fd;

	if (dentry->d_name.len > NAME_MAX)
		return -ENAMETOOLONG;
	/* With several names it could not be turned into a file any more. */
	if (test_bit(HUMFS_REAL_SYMLINK, &HUMFS_I(inode)->flags) && !humfs_plain(inode) &&
	    inode->i_nlink == 1) {
		humfs_read_meta(inode, &meta);
		err = humfs_convert_symlink(old, inode, &meta);
		if (err)
			return err;
	}
	fd = humfs_get_fd(dir, false);
	if (fd < 0)
		return fd;
	err = link_host(old, inode, fd, dentry->d_name.name);
	humfs_put_fd(dir);
	if (err)
		return err;
	inode_set_ctime_current(inode);
	inc_nlink(inode);
	humfs_touch_dir(dir);
	ihold(inode);
	d_instantiate(dentry, inode);
	return 0;
}

static int remove_name(struct inode *dir, struct dentry *dentry, bool is_dir)
{
	int err, fd;

	err = humfs_before_unlink(dentry);
	if (err)
		return err;
	fd = humfs_get_fd(dir, false);
	if (fd < 0)
		return fd;
	err = humfs_host_unlink(fd, dentry->d_name.name, is_dir);
	humfs_put_fd(dir);
	if (!err)
		humfs_touch_dir(dir);
	return err;
}

static int humfs_unlink(struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = d_inode(dentry);
	int err = remove_name(dir, dentry, false);

	if (err)
		return err;
	inode_set_ctime_to_ts(inode, inode_get_ctime(dir));
	drop_nlink(inode);
	return 0;
}

static int humfs_rmdir(struct inode *dir, struct dentry *dentry)
{
	int err = remove_name(dir, dentry, true);

	if (err)
		return err;
	clear_nlink(d_inode(dentry));
	humfs_count_subdir(dir, -1);
	return 0;
}

const struct inode_operations humfs_dir_iops = {
	.lookup		= humfs_lookup,
	.create		= humfs_create,
	.mknod		= humfs_mknod,
	.mkdir		= humfs_mkdir,
	.symlink	= humfs_symlink,
	.tmpfile	= humfs_tmpfile,
	.link		= humfs_link,
	.unlink		= humfs_unlink,
	.rmdir		= humfs_rmdir,
	.rename		= humfs_rename,
	.setattr	= humfs_setattr,
	.getattr	= humfs_getattr,
	.listxattr	= humfs_listxattr,
	.get_inode_acl	= humfs_get_acl,
	.set_acl	= humfs_set_acl,
};

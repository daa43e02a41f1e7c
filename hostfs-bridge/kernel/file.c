// SPDX-License-Identifier: GPL-2.0-only
/*
 * humfs: regular files.
 */
#include <linux/fs.h>
#include <linux/falloc.h>
#include <linux/pagemap.h>
#include <linux/splice.h>
#include <linux/uio.h>
#include <linux/writeback.h>
#include "humfs_kern.h"

/* That the file can be had on the host shows now, not at the first page. */
static int humfs_open(struct inode *inode, struct file *file)
{
	int fd = humfs_get_fd(inode, file->f_mode & FMODE_WRITE);

	if (fd < 0)
		return fd;
	humfs_put_fd(inode);
	/* The cache is the only way, but writes do not wait in it. */
	file->f_mode |= FMODE_CAN_ODIRECT;
	return 0;
}

/*
 * As long as pages are dirty the inode must have a name or a pinned
 * descriptor, which an open file guarantees.
 */
static int humfs_release(struct inode *inode, struct file *file)
{
	if ((file->f_mode & FMODE_WRITE) &&
	    mapping_tagged(inode->i_mapping, PAGECACHE_TAG_DIRTY))
		filemap_fdatawrite(inode->i_mapping);
	return 0;
}

static ssize_t humfs_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	return iov_iter_count(to) ? filemap_read(iocb, to, 0) : 0;
}

static ssize_t humfs_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret;

	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	inode_lock(inode);
	ret = generic_write_checks(iocb, from);
	if (ret > 0) {
		ret = file_modified(iocb->ki_filp);
		if (!ret)
			ret = humfs_write_pages(iocb, from);
	}
	inode_unlock(inode);
	return ret > 0 ? generic_write_sync(iocb, ret) : ret;
}

/* Also for directories. */
int humfs_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct inode *inode = file_inode(file);
	struct humfs_share *share = humfs_share_of(inode->i_sb);
	int err, fd;

	err = file_write_and_wait_range(file, start, end);
	if (err)
		return err;
	atomic_long_inc(&share->fsyncs);
	if (share->nosync)
		return 0;
	err = sync_inode_metadata(inode, 1);
	if (err)
		return err;
	fd = humfs_get_fd(inode, false);
	if (fd < 0)
		return fd;
	err = humfs_host_sync(fd, datasync);
	humfs_put_fd(inode);
	return err;
}

/* truncate(2); the caller holds the inode's lock and updates the times. */
int humfs_set_size(struct inode *inode, loff_t size)
{
	loff_t old = i_size_read(inode);
	int err, fd;

	if (!S_ISREG(inode->i_mode))
		return -EINVAL;
	err = size > old ? humfs_take_all_room(size - old) : 0;
	if (err)
		return err;
	fd = humfs_get_fd(inode, true);
	if (fd < 0) {
		err = fd;
		goto out;
	}
	filemap_invalidate_lock(inode->i_mapping);
	err = humfs_host_truncate(fd, size);
	if (!err) {
		if (size > old)
			humfs_zero_tail(inode, old);
		truncate_setsize(inode, size);
		humfs_changed(inode);
	}
	filemap_invalidate_unlock(inode->i_mapping);
	humfs_put_fd(inode);
out:
	humfs_room_of_size(max(size, old), i_size_read(inode));
	return err;
}

/* Drops the cache where the host is about to change the data by itself. */
static int prepare_range(struct inode *inode, loff_t start, loff_t end)
{
	int err = filemap_write_and_wait_range(inode->i_mapping, start, end);

	if (err)
		return err;
	truncate_pagecache_range(inode, round_down(start, PAGE_SIZE),
				 end == LLONG_MAX ? end : round_up(end + 1, PAGE_SIZE) - 1);
	return 0;
}

static int fallocate_locked(struct inode *inode, int fd, int mode, loff_t pos, loff_t len)
{
	loff_t old = i_size_read(inode);
	loff_t size = old;
	int err = 0;

	if (mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE))
		err = prepare_range(inode, pos, LLONG_MAX);
	else if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		err = prepare_range(inode, pos, pos + len - 1);
	if (err)
		return err;

	if (mode & FALLOC_FL_COLLAPSE_RANGE)
		size -= len;
	else if (mode & FALLOC_FL_INSERT_RANGE)
		size += len;
	else if (!(mode & FALLOC_FL_KEEP_SIZE))
		size = max(size, pos + len);
	err = size > old ? inode_newsize_ok(inode, size) : 0;
	if (!err && size > old)
		err = humfs_take_all_room(size - old);
	if (err)
		return err;
	err = humfs_host_fallocate(fd, mode, pos, len);
	if (!err && size > old)
		humfs_zero_tail(inode, old);
	if (!err)
		i_size_write(inode, size);
	if (!err && size > old)
		pagecache_isize_extended(inode, old, size);
	if (!err)
		humfs_changed(inode);
	humfs_room_of_size(max(size, old), i_size_read(inode));
	return err;
}

static long humfs_fallocate(struct file *file, int mode, loff_t pos, loff_t len)
{
	struct inode *inode = file_inode(file);
	int err, fd;

	if (!S_ISREG(inode->i_mode))
		return -EOPNOTSUPP;
	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE |
		     FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE))
		return -EOPNOTSUPP;
	/* Blocks behind the end, of which the size says nothing. */
	if ((mode & FALLOC_FL_KEEP_SIZE) && !(mode & FALLOC_FL_PUNCH_HOLE) &&
	    humfs_room_is_limited())
		return -EOPNOTSUPP;
	inode_lock(inode);
	err = file_modified(file);
	if (err)
		goto out;
	fd = humfs_get_fd(inode, true);
	if (fd < 0) {
		err = fd;
		goto out;
	}
	filemap_invalidate_lock(inode->i_mapping);
	err = fallocate_locked(inode, fd, mode, pos, len);
	filemap_invalidate_unlock(inode->i_mapping);
	humfs_put_fd(inode);
out:
	inode_unlock(inode);
	return err;
}

static loff_t seek_host(struct file *file, loff_t pos, int whence)
{
	struct inode *inode = file_inode(file);
	loff_t ret;
	int fd;

	if (pos < 0 || pos >= i_size_read(inode))
		return -ENXIO;
	ret = filemap_write_and_wait_range(inode->i_mapping, pos, LLONG_MAX);
	if (ret)
		return ret;
	fd = humfs_get_fd(inode, false);
	if (fd < 0)
		return fd;
	ret = whence == SEEK_DATA ? humfs_host_seek_data(fd, pos) : humfs_host_seek_hole(fd, pos);
	humfs_put_fd(inode);
	return ret < 0 ? ret : vfs_setpos(file, ret, inode->i_sb->s_maxbytes);
}

static loff_t humfs_llseek(struct file *file, loff_t pos, int whence)
{
	struct inode *inode = file_inode(file);
	loff_t ret;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return generic_file_llseek(file, pos, whence);
	inode_lock_shared(inode);
	ret = seek_host(file, pos, whence);
	inode_unlock_shared(inode);
	if (ret == -EINVAL)	/* the host cannot tell: all of it is data */
		ret = generic_file_llseek(file, pos, whence);
	return ret;
}

/* Lets the host copy; both inodes are locked and their descriptors open. */
static ssize_t copy_locked(struct inode *from, int from_fd, loff_t from_pos, struct inode *to,
			   int to_fd, loff_t to_pos, size_t len)
{
	loff_t old = i_size_read(to);
	loff_t size = to_pos + len;
	ssize_t done;
	int err;

	err = filemap_write_and_wait_range(from->i_mapping, from_pos, from_pos + len - 1);
	if (!err)
		err = prepare_range(to, to_pos, to_pos + len - 1);
	if (err)
		return err;
	if (size > old)
		err = humfs_take_all_room(size - old);
	if (err)
		return err;
	done = humfs_host_copy_range(from_fd, from_pos, to_fd, to_pos, len);
	if (done > 0 && to_pos + done > old) {
		humfs_zero_tail(to, old);
		i_size_write(to, to_pos + done);
		pagecache_isize_extended(to, old, to_pos + done);
	}
	if (done > 0)
		humfs_changed(to);
	humfs_room_of_size(max(size, old), i_size_read(to));
	return done;
}

static ssize_t copy_on_host(struct file *in, loff_t in_pos, struct file *out, loff_t out_pos,
			    size_t len)
{
	struct inode *from = file_inode(in);
	struct inode *to = file_inode(out);
	int from_fd, to_fd;
	ssize_t ret;

	lock_two_nondirectories(from, to);
	ret = file_modified(out);
	if (ret)
		goto out_unlock;
	to_fd = humfs_get_fd(to, true);
	ret = to_fd;
	if (to_fd < 0)
		goto out_unlock;
	from_fd = humfs_get_fd(from, false);
	ret = from_fd;
	if (from_fd < 0)
		goto out_put;
	filemap_invalidate_lock(to->i_mapping);
	ret = copy_locked(from, from_fd, in_pos, to, to_fd, out_pos, len);
	filemap_invalidate_unlock(to->i_mapping);
	humfs_put_fd(from);
out_put:
	humfs_put_fd(to);
out_unlock:
	unlock_two_nondirectories(from, to);
	return ret;
}

static ssize_t humfs_copy_file_range(struct file *in, loff_t in_pos, struct file *out,
				     loff_t out_pos, size_t len, unsigned int flags)
{
	ssize_t ret = -EXDEV;

	if (file_inode(in)->i_sb == file_inode(out)->i_sb)
		ret = copy_on_host(in, in_pos, out, out_pos, len);
	if (ret == -EXDEV || ret == -EOPNOTSUPP || ret == -ENOSYS || ret == -EINVAL)
		ret = splice_copy_file_range(in, in_pos, out, out_pos, len);
	return ret;
}

const struct file_operations humfs_file_fops = {
	.llseek		= humfs_llseek,
	.read_iter	= humfs_read_iter,
	.write_iter	= humfs_write_iter,
	.mmap_prepare	= generic_file_mmap_prepare,
	.open		= humfs_open,
	.release	= humfs_release,
	.fsync		= humfs_fsync,
	.fallocate	= humfs_fallocate,
	.splice_read	= filemap_splice_read,
	.splice_write	= iter_file_splice_write,
	.copy_file_range = humfs_copy_file_range,
};

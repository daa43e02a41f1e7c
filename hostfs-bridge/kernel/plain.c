// SPDX-License-Identifier: GPL-2.0-only
/*
 * humfs: plain mode, for ordinary folders of the host's user.
 *
 * Such a folder goes on being used on the host while it is mounted.  Each path
 * walk asks the host whether a name still means the same file and whether that
 * has changed, as network filesystems do between close and open.
 */
#include <linux/namei.h>
#include <linux/pagemap.h>
#include "humfs_kern.h"

static bool same_time(struct timespec64 ts, const struct humfs_time *t)
{
	return ts.tv_sec == t->sec && ts.tv_nsec == t->nsec;
}

/* Every change there is moves the host's ctime, those made from here, too. */
void humfs_refresh(struct inode *inode, const struct humfs_stat *st)
{
	struct humfs_inode *hi = HUMFS_I(inode);

	if (same_time(hi->seen_ctime, &st->ctime) || !inode_trylock(inode))
		return;
	inode->i_mode = (inode->i_mode & S_IFMT) | (st->mode & 0777);
	hi->host_mode = st->mode & 0777;
	set_nlink(inode, st->nlink);
	inode->i_blocks = st->blocks;
	humfs_set_times(inode, st);
	if (S_ISREG(inode->i_mode)) {
		filemap_write_and_wait(inode->i_mapping);
		invalidate_inode_pages2(inode->i_mapping);
	}
	if (S_ISREG(inode->i_mode) || S_ISDIR(inode->i_mode))
		i_size_write(inode, st->size);
	inode_unlock(inode);
}

static int humfs_revalidate(struct inode *dir, const struct qstr *name, struct dentry *dentry,
			    unsigned int flags)
{
	struct inode *inode;
	struct humfs_stat st;
	int err, fd;

	if (flags & LOOKUP_RCU)
		return -ECHILD;
	fd = humfs_get_fd(dir, false);
	if (fd < 0)
		return fd == -ESTALE || fd == -ENOENT ? 0 : fd;
	err = humfs_host_stat_name(fd, dentry->d_name.name, &st);
	humfs_put_fd(dir);
	inode = d_inode(dentry);
	if (!inode)
		return err == -ENOENT;
	if (err || HUMFS_I(inode)->host_ino != st.ino || HUMFS_I(inode)->host_dev != st.dev ||
	    (inode->i_mode & S_IFMT) != (st.mode & S_IFMT))
		return 0;
	humfs_refresh(inode, &st);
	return 1;
}

const struct dentry_operations humfs_plain_dops = {
	.d_revalidate	= humfs_revalidate,
};

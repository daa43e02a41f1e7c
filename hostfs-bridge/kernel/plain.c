// SPDX-License-Identifier: GPL-2.0-only
/*
 * humfs: plain mode, for ordinary folders of the host's user.
 *
 * Such a folder goes on being used on the host while it is mounted.  Each path
 * walk asks the host whether a name still means the same file and whether that
 * has changed, as network filesystems do between close and open.
 *
 * Nothing is recorded: a file is what it is on the host.  What belongs there to
 * who runs this kernel belongs here to whom the mount says, who may thus do here
 * what that one may there; anything else is nobody's.  Only root of the host can
 * give files away, and has other owners shown and kept as they are.
 */
#include <linux/highuid.h>
#include <linux/namei.h>
#include <linux/pagemap.h>
#include "humfs_kern.h"

static bool is_root(const struct humfs_share *share)
{
	return share->host_uid == 0;
}

void humfs_plain_meta(const struct humfs_share *share, const struct humfs_stat *st,
		      struct humfs_meta *meta)
{
	bool root = is_root(share);

	meta->uid = st->uid == share->host_uid ? share->uid : root ? st->uid : overflowuid;
	meta->gid = st->gid == share->host_gid ? share->gid : root ? st->gid : overflowgid;
	meta->mode = st->mode & 07777;
}

int humfs_plain_chown(const struct humfs_share *share, int fd, const struct humfs_meta *now,
		      const struct humfs_meta *meta)
{
	unsigned int uid = meta->uid == share->uid ? share->host_uid : meta->uid;
	unsigned int gid = meta->gid == share->gid ? share->host_gid : meta->gid;

	if (meta->uid == now->uid && meta->gid == now->gid)
		return 0;
	return is_root(share) ? humfs_host_chown(fd, uid, gid) : -EPERM;
}

/* The host drops silently what it does not let this user set. */
static int chmod_host(struct humfs_inode *hi, int fd, unsigned int mode)
{
	struct humfs_stat st;
	int err = humfs_host_chmod(fd, mode);

	if (!err && (mode & 07000)) {
		err = humfs_host_stat(fd, &st);
		if (!err && (st.mode & 07777) != mode) {
			mode = st.mode & 07777;
			err = -EPERM;
		}
	}
	hi->host_mode = mode;
	return err;
}

int humfs_store_plain(struct inode *inode, const struct humfs_meta *meta)
{
	struct humfs_inode *hi = HUMFS_I(inode);
	struct humfs_meta now;
	int err, fd;

	humfs_read_meta(inode, &now);
	if (meta->uid == now.uid && meta->gid == now.gid &&
	    (meta->mode == hi->host_mode || test_bit(HUMFS_REAL_SYMLINK, &hi->flags)))
		return 0;
	if (!humfs_opens(inode)) {
		if (meta->uid != now.uid || meta->gid != now.gid)
			return -EPERM;
		return humfs_remake_node(inode, meta->mode);
	}
	fd = humfs_get_fd(inode, false);
	if (fd < 0)
		return fd;
	err = humfs_plain_chown(humfs_share_of(inode->i_sb), fd, &now, meta);
	if (!err)	/* a new owner has taken set-id bits away */
		err = chmod_host(hi, fd, meta->mode);
	humfs_put_fd(inode);
	return err;
}

static bool same_time(struct timespec64 ts, const struct humfs_time *t)
{
	return ts.tv_sec == t->sec && ts.tv_nsec == t->nsec;
}

/* Every change there is moves the host's ctime, those made from here, too. */
void humfs_refresh(struct inode *inode, const struct humfs_stat *st)
{
	struct humfs_inode *hi = HUMFS_I(inode);
	struct humfs_meta meta;

	if (same_time(hi->seen_ctime, &st->ctime) || !inode_trylock(inode))
		return;
	humfs_plain_meta(humfs_share_of(inode->i_sb), st, &meta);
	inode->i_mode = (inode->i_mode & S_IFMT) | meta.mode;
	i_uid_write(inode, meta.uid);
	i_gid_write(inode, meta.gid);
	hi->host_mode = st->mode & 07777;
	set_nlink(inode, max(st->nlink, 1U));
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

/* Where a walk ends at a mount point there was no name to ask the host about. */
static int humfs_weak_revalidate(struct dentry *dentry, unsigned int flags)
{
	struct inode *inode = d_inode(dentry);
	struct humfs_stat st;

	if (S_ISREG(inode->i_mode) && !humfs_ask_stat(inode, &st))
		humfs_refresh(inode, &st);
	return 1;
}

const struct dentry_operations humfs_plain_dops = {
	.d_weak_revalidate = humfs_weak_revalidate,
	.d_revalidate	= humfs_revalidate,
};

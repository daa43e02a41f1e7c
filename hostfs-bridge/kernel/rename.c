// SPDX-License-Identifier: GPL-2.0-only
/*
 * humfs: moving names, and what is done by moving a file made aside into place.
 *
 * The dentry moves here and not in the VFS, together with the host's name and
 * under one lock, so that nobody looks for a file under a name it does not have
 * any more.
 */
#include <linux/random.h>
#include <linux/slab.h>
#include "humfs_kern.h"

#define ASIDE_NAME_MAX	32
#define ASIDE_PREFIX	".humfs-"

bool humfs_is_aside(const char *name)
{
	return str_has_prefix(name, ASIDE_PREFIX);
}

/* A new file in @dirfd under a name that is nobody else's. */
static int make_aside(int dirfd, char *name)
{
	int fd;

	do {
		snprintf(name, ASIDE_NAME_MAX, ASIDE_PREFIX "%016llx", get_random_u64());
		fd = humfs_host_create(dirfd, name, 0600);
	} while (fd == -EEXIST || (fd == -EMFILE && humfs_shrink_fds()));
	return fd;
}

/* A finished file beside its final name: @text in it, @meta on it. */
static int make_aside_with(int dirfd, char *name, const struct humfs_meta *meta,
			   const char *content, struct humfs_stat *st)
{
	char text[HUMFS_META_MAX];
	int err, fd, len;

	len = humfs_meta_format(meta, text);
	if (len < 0)
		return len;
	fd = make_aside(dirfd, name);
	if (fd < 0)
		return fd;
	err = humfs_host_write_all(fd, content, strlen(content));
	if (!err)
		err = humfs_host_setxattr(fd, HUMFS_META_XATTR, text, len, 0);
	if (!err)
		err = humfs_host_stat(fd, st);
	humfs_host_close(fd);
	if (err)
		humfs_host_unlink(dirfd, name, 0);
	return err;
}

/* A new fifo or socket under a name that is nobody else's. */
static int make_node_aside(int dirfd, char *name, unsigned int mode, struct humfs_stat *st)
{
	int err;

	do {
		snprintf(name, ASIDE_NAME_MAX, ASIDE_PREFIX "%016llx", get_random_u64());
		err = humfs_host_mknod(dirfd, name, mode);
	} while (err == -EEXIST);
	if (err)
		return err;
	err = humfs_host_stat_name(dirfd, name, st);
	if (!err && (st->mode & 07777) != (mode & 07777))
		err = -EPERM;
	if (err)
		humfs_host_unlink(dirfd, name, 0);
	return err;
}

/*
 * No descriptor can be had of a socket, and none of a fifo without waking those who
 * wait for it.  What was made here nobody on the host uses, so another one does.
 */
int humfs_remake_node(struct inode *inode, unsigned int mode)
{
	struct humfs_place place;
	struct humfs_stat st;
	char aside[ASIDE_NAME_MAX];
	u64 number = inode->i_ino;
	int err;

	if (!test_bit(HUMFS_OWN_NODE, &HUMFS_I(inode)->flags) || inode->i_nlink > 1)
		return -EPERM;
	err = humfs_locate(inode, &place);
	if (err)
		return err;
	err = make_node_aside(place.dirfd, aside, (inode->i_mode & S_IFMT) | mode, &st);
	if (!err) {
		err = humfs_host_rename(place.dirfd, aside, place.dirfd, place.name, 0);
		if (err)
			humfs_host_unlink(place.dirfd, aside, 0);
	}
	if (!err) {
		humfs_rehash(inode, &st);
		inode->i_ino = number;	/* a bound socket is found by it */
	}
	humfs_unlocate(inode, &place);
	return err;
}

/*
 * The caller holds the link's inode lock, which a rename or removal of its name
 * would need, too.
 */
int humfs_convert_symlink(struct dentry *dentry, struct inode *inode,
			  const struct humfs_meta *meta)
{
	struct humfs_inode *hi = HUMFS_I(inode);
	char aside[ASIDE_NAME_MAX];
	struct humfs_place place;
	struct humfs_stat st;
	int err;

	if (inode->i_nlink > 1)
		return -EMLINK;
	err = humfs_locate(inode, &place);
	if (err)
		return err;
	err = make_aside_with(place.dirfd, aside, meta, hi->link, &st);
	if (!err) {
		err = humfs_host_rename(place.dirfd, aside, place.dirfd, place.name, 0);
		if (err)
			humfs_host_unlink(place.dirfd, aside, 0);
		humfs_changed(place.dir);	/* but not as the guest sees it */
		mark_inode_dirty_sync(place.dir);
	}
	humfs_unlocate(inode, &place);
	if (err)
		return err;
	humfs_rehash(inode, &st);
	humfs_changed(inode);
	set_bit(HUMFS_HAS_META, &hi->flags);
	clear_bit(HUMFS_REAL_SYMLINK, &hi->flags);
	mark_inode_dirty_sync(inode);	/* the times have to follow */
	return 0;
}

/* Both directories' descriptors for the time of a rename. */
struct move {
	struct inode *old_dir;
	struct inode *new_dir;
	int old_fd;
	int new_fd;
};

static int open_move(struct move *m)
{
	m->old_fd = humfs_get_fd(m->old_dir, false);
	if (m->old_fd < 0)
		return m->old_fd;
	m->new_fd = humfs_get_fd(m->new_dir, false);
	if (m->new_fd >= 0)
		return 0;
	humfs_put_fd(m->old_dir);
	return m->new_fd;
}

static void close_move(struct move *m)
{
	humfs_put_fd(m->new_dir);
	humfs_put_fd(m->old_dir);
}

/*
 * A whiteout takes the place of what was moved.  If the kernel dies between the
 * two renames, the file is where it was to go and only the whiteout is missing.
 */
static int move_host(struct move *m, struct dentry *old_dentry, struct dentry *new_dentry,
		     unsigned int flags)
{
	const char *old = old_dentry->d_name.name;
	const char *new = new_dentry->d_name.name;
	struct humfs_meta whiteout = { .type = HUMFS_CHAR };
	unsigned int host_flags = 0;
	char aside[ASIDE_NAME_MAX];
	struct humfs_stat st;
	int err;

	if (flags & RENAME_NOREPLACE)
		host_flags |= HUMFS_RENAME_NOREPLACE;
	if (flags & RENAME_EXCHANGE)
		host_flags |= HUMFS_RENAME_EXCHANGE;
	if (!(flags & RENAME_WHITEOUT))
		return humfs_host_rename(m->old_fd, old, m->new_fd, new, host_flags);

	err = make_aside_with(m->old_fd, aside, &whiteout, "", &st);
	if (err)
		return err;
	err = humfs_host_rename(m->old_fd, old, m->new_fd, new, host_flags);
	if (!err) {
		err = humfs_host_rename(m->old_fd, aside, m->old_fd, old, 0);
		if (err)
			humfs_host_rename(m->new_fd, new, m->old_fd, old, 0);
	}
	if (err)
		humfs_host_unlink(m->old_fd, aside, 0);
	return err;
}

static void count_exchange(struct inode *old_dir, struct inode *inode, struct inode *new_dir,
			   struct inode *other)
{
	int by = S_ISDIR(inode->i_mode) - S_ISDIR(other->i_mode);

	humfs_count_subdir(old_dir, -by);
	humfs_count_subdir(new_dir, by);
	inode_set_ctime_current(other);
}

static void count_move(struct inode *old_dir, struct inode *inode, struct inode *new_dir,
		       struct inode *victim)
{
	if (S_ISDIR(inode->i_mode)) {
		humfs_count_subdir(old_dir, -1);
		humfs_count_subdir(new_dir, 1);
	}
	if (!victim)
		return;
	if (S_ISDIR(victim->i_mode)) {
		clear_nlink(victim);
		humfs_count_subdir(new_dir, -1);
	} else {
		drop_nlink(victim);
	}
	inode_set_ctime_current(victim);
}

int humfs_rename(struct mnt_idmap *idmap, struct inode *old_dir, struct dentry *old_dentry,
		 struct inode *new_dir, struct dentry *new_dentry, unsigned int flags)
{
	struct rw_semaphore *sem = &humfs_share_of(old_dir->i_sb)->rename_sem;
	struct move m = { .old_dir = old_dir, .new_dir = new_dir };
	struct inode *inode = d_inode(old_dentry);
	struct inode *target = d_inode(new_dentry);
	int err;

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	if ((flags & RENAME_WHITEOUT) && humfs_plain(inode))
		return -EINVAL;
	if (new_dentry->d_name.len > NAME_MAX)
		return -ENAMETOOLONG;
	if (target && !(flags & RENAME_EXCHANGE)) {
		err = humfs_before_unlink(new_dentry);
		if (err)
			return err;
	}
	err = open_move(&m);
	if (err)
		return err;
	down_write(sem);
	if (flags & RENAME_WHITEOUT)	/* has a name, and no dentry */
		humfs_incomplete(old_dir);
	err = move_host(&m, old_dentry, new_dentry, flags);
	if (!err && (flags & RENAME_EXCHANGE))
		d_exchange(old_dentry, new_dentry);
	else if (!err)
		d_move(old_dentry, new_dentry);
	up_write(sem);
	close_move(&m);
	if (err)
		return err;

	if (flags & RENAME_EXCHANGE)
		count_exchange(old_dir, inode, new_dir, target);
	else
		count_move(old_dir, inode, new_dir, target);
	inode_set_ctime_current(inode);
	humfs_touch_dir(old_dir);
	if (new_dir != old_dir)
		humfs_touch_dir(new_dir);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * humfs: descriptors of the host.
 *
 * Each inode has at most one.  It is opened when needed, from the parent's
 * descriptor and the dentry's name, and stays open after use in one list for
 * all shares; what was used longest ago is closed when there are too many, or
 * when the host says that there are.
 */
#include <linux/dcache.h>
#include <linux/minmax.h>
#include <linux/spinlock.h>
#include "humfs_kern.h"

static DEFINE_SPINLOCK(fd_lock);	/* fd, fd_write, pins, lru of all inodes */
static LIST_HEAD(fd_lru);		/* least recently used first */
static unsigned long fd_count;
static unsigned long fd_limit = 64;

/*
 * A quarter of what the host allows: guest processes cost this process
 * descriptors, too.
 */
void humfs_init_fds(void)
{
	fd_limit = clamp(humfs_host_max_fds() / 4, 32UL, 16384UL);
}

/* Takes an unused inode's descriptor away; the caller closes it. */
static int detach_fd(struct humfs_inode *hi)
{
	int fd = hi->fd;

	lockdep_assert_held(&fd_lock);
	list_del_init(&hi->lru);
	hi->fd = -1;
	hi->fd_write = false;
	if (fd >= 0)
		fd_count--;
	return fd;
}

static int detach_oldest(unsigned long more_than)
{
	struct humfs_inode *hi;
	int fd = -1;

	spin_lock(&fd_lock);
	if (fd_count > more_than) {
		hi = list_first_entry_or_null(&fd_lru, struct humfs_inode, lru);
		if (hi)
			fd = detach_fd(hi);
	}
	spin_unlock(&fd_lock);
	return fd;
}

bool humfs_shrink_fds(void)
{
	unsigned long keep = READ_ONCE(fd_count) / 2;
	bool any = false;
	int fd;

	while ((fd = detach_oldest(keep)) >= 0) {
		humfs_host_close(fd);
		any = true;
	}
	return any;
}

/* Pins and returns what is open already, or -1. */
static int pin_open_fd(struct humfs_inode *hi, bool write)
{
	int fd = -1;

	spin_lock(&fd_lock);
	if (hi->fd >= 0 && (!write || hi->fd_write)) {
		fd = hi->fd;
		hi->pins++;
		list_del_init(&hi->lru);
	}
	spin_unlock(&fd_lock);
	return fd;
}

int humfs_get_open_fd(struct inode *inode)
{
	return pin_open_fd(HUMFS_I(inode), false);
}

static void install_fd(struct humfs_inode *hi, int fd, bool write)
{
	spin_lock(&fd_lock);
	hi->fd = fd;
	hi->fd_write = write;
	hi->pins++;
	fd_count++;
	spin_unlock(&fd_lock);
}

void humfs_put_fd(struct inode *inode)
{
	struct humfs_inode *hi = HUMFS_I(inode);
	int fd;

	spin_lock(&fd_lock);
	if (!--hi->pins)
		list_add_tail(&hi->lru, &fd_lru);
	spin_unlock(&fd_lock);

	fd = detach_oldest(fd_limit);
	if (fd >= 0)
		humfs_host_close(fd);
}

void humfs_adopt_fd(struct inode *inode, int fd, bool write)
{
	install_fd(HUMFS_I(inode), fd, write);
	humfs_put_fd(inode);
}

/* The same for an inode that others use already and that may have one. */
void humfs_offer_fd(struct inode *inode, int fd, bool write)
{
	struct humfs_inode *hi = HUMFS_I(inode);

	if (mutex_trylock(&hi->open_mutex)) {
		if (READ_ONCE(hi->fd) < 0) {
			humfs_adopt_fd(inode, fd, write);
			fd = -1;
		}
		mutex_unlock(&hi->open_mutex);
	}
	if (fd >= 0)
		humfs_host_close(fd);
}

void humfs_drop_fd(struct inode *inode)
{
	int fd;

	spin_lock(&fd_lock);
	fd = detach_fd(HUMFS_I(inode));
	spin_unlock(&fd_lock);
	if (fd >= 0)
		humfs_host_close(fd);
}

/* The file behind the name must be the inode's, whatever happened on the host. */
static int check_identity(struct humfs_inode *hi, int fd)
{
	struct humfs_stat st;
	int err = humfs_host_stat(fd, &st);

	if (err)
		return err;
	return st.ino == hi->host_ino && st.dev == hi->host_dev ? 0 : -ESTALE;
}

static int open_name(struct humfs_inode *hi, int dirfd, const char *name, enum humfs_open how)
{
	int fd = humfs_host_open(dirfd, name, how);
	int err;

	if ((fd == -EMFILE || fd == -ENFILE) && humfs_shrink_fds())
		fd = humfs_host_open(dirfd, name, how);
	if (fd < 0)
		return fd;
	err = check_identity(hi, fd);
	if (!err)
		return fd;
	humfs_host_close(fd);
	return err;
}

/*
 * A reader's descriptor becomes a writer's.  Pinned users of the old one know
 * its number, so the new description takes that over.
 */
static int open_more(struct humfs_inode *hi, int dirfd, const char *name)
{
	int fd, err;

	fd = dirfd >= 0 ? open_name(hi, dirfd, name, HUMFS_OPEN_WRITE) : -ESTALE;
	if (fd < 0)
		return fd;
	err = humfs_host_replace(fd, hi->fd);
	humfs_host_close(fd);
	if (err)
		return err;
	spin_lock(&fd_lock);
	hi->fd_write = true;
	hi->pins++;
	list_del_init(&hi->lru);
	fd = hi->fd;
	spin_unlock(&fd_lock);
	return fd;
}

/* Opens and pins the inode in a directory that is open. */
static int open_at(struct inode *inode, int dirfd, const char *name, bool write)
{
	struct humfs_inode *hi = HUMFS_I(inode);
	enum humfs_open how = write ? HUMFS_OPEN_WRITE : HUMFS_OPEN_READ;
	int fd;

	if (S_ISDIR(inode->i_mode))
		how = HUMFS_OPEN_DIR;
	if (test_bit(HUMFS_REAL_SYMLINK, &hi->flags) || test_bit(HUMFS_FOREIGN, &hi->flags))
		return -EOPNOTSUPP;
	mutex_lock(&hi->open_mutex);
	fd = pin_open_fd(hi, write);
	if (fd >= 0)
		goto out;
	/* Keeps a descriptor that is only good for reading where it is meanwhile. */
	if (pin_open_fd(hi, false) >= 0) {
		fd = open_more(hi, dirfd, name);
		humfs_put_fd(inode);
		goto out;
	}
	fd = dirfd >= 0 ? open_name(hi, dirfd, name, how) : -ESTALE;
	if (fd >= 0)
		install_fd(hi, fd, write);
out:
	mutex_unlock(&hi->open_mutex);
	return fd;
}

/*
 * Opens the directories above @dentry, from the lowest open one downwards, and
 * returns the parent's descriptor, pinned.  The root's is always open.  Renames
 * are held off by the caller.
 */
static int open_parent(struct dentry *dentry)
{
	struct dentry *parent = dentry->d_parent;
	struct dentry *d;
	int above, fd;

	for (;;) {
		fd = pin_open_fd(HUMFS_I(d_inode(parent)), false);
		if (fd >= 0)
			return fd;
		for (d = parent; ; d = d->d_parent) {
			if (IS_ROOT(d))
				return -ESTALE;
			above = pin_open_fd(HUMFS_I(d_inode(d->d_parent)), false);
			if (above >= 0)
				break;
		}
		fd = open_at(d_inode(d), above, d->d_name.name, false);
		humfs_put_fd(d_inode(d->d_parent));
		if (fd < 0 || d == parent)
			return fd;
		humfs_put_fd(d_inode(d));
	}
}

int humfs_locate(struct inode *inode, struct humfs_place *place)
{
	struct humfs_share *share = humfs_share_of(inode->i_sb);
	struct dentry *dentry = d_find_alias(inode);

	if (!dentry)
		return -ESTALE;
	down_read(&share->rename_sem);
	if (IS_ROOT(dentry)) {
		place->dirfd = -ESTALE;
	} else {
		place->dirfd = open_parent(dentry);
		place->dir = d_inode(dentry->d_parent);
	}
	if (place->dirfd < 0) {
		up_read(&share->rename_sem);
		dput(dentry);
		return place->dirfd;
	}
	place->dentry = dentry;
	place->name = dentry->d_name.name;
	return 0;
}

void humfs_unlocate(struct inode *inode, struct humfs_place *place)
{
	humfs_put_fd(place->dir);
	up_read(&humfs_share_of(inode->i_sb)->rename_sem);
	dput(place->dentry);
}

int humfs_get_fd(struct inode *inode, bool write)
{
	struct humfs_place place;
	int fd = pin_open_fd(HUMFS_I(inode), write);
	int err;

	if (fd >= 0)
		return fd;
	err = humfs_locate(inode, &place);
	if (err)
		return open_at(inode, -1, NULL, write);
	fd = open_at(inode, place.dirfd, place.name, write);
	humfs_unlocate(inode, &place);
	if (fd == -ENOENT && inode->i_nlink)
		fd = -ESTALE;
	return fd;
}

int humfs_pin(struct inode *inode)
{
	struct humfs_inode *hi = HUMFS_I(inode);
	int fd;

	if (test_bit(HUMFS_PINNED, &hi->flags) || test_bit(HUMFS_REAL_SYMLINK, &hi->flags) ||
	    test_bit(HUMFS_FOREIGN, &hi->flags))
		return 0;
	fd = humfs_get_fd(inode, S_ISREG(inode->i_mode) && !IS_RDONLY(inode));
	if (fd < 0)
		fd = humfs_get_fd(inode, false);
	if (fd < 0)
		return fd;
	if (test_and_set_bit(HUMFS_PINNED, &hi->flags))
		humfs_put_fd(inode);
	/* An inode with other names is not to hold its descriptor for longer than it is used. */
	spin_lock(&inode->i_lock);
	if (inode->i_sb->s_root && inode != d_inode(inode->i_sb->s_root))
		inode_state_set(inode, I_DONTCACHE);
	spin_unlock(&inode->i_lock);
	return 0;
}

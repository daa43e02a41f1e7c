// SPDX-License-Identifier: GPL-2.0-only
/*
 * humfs: inodes, and what of them is found on the host.
 *
 * A host file without HUMFS_META_XATTR is root's with the host's permissions.
 * A file is found by opening it, and keeps the descriptor.  One call lists the
 * attributes that it has, so that for most files it is known from the beginning
 * that there is neither metadata, nor an ACL, nor a capability, and nobody asks
 * again.
 */
#include <linux/pagemap.h>
#include <linux/posix_acl.h>
#include <linux/slab.h>
#include <linux/writeback.h>
#include "humfs_kern.h"

#define LIST_MAX	1024	/* a longer list of attributes counts as "may have any" */

struct kmem_cache *humfs_inode_cache;

struct inode *humfs_alloc_inode(struct super_block *sb)
{
	struct humfs_inode *hi = alloc_inode_sb(sb, humfs_inode_cache, GFP_KERNEL);

	if (!hi)
		return NULL;
	hi->host_dev = 0;
	hi->host_ino = 0;
	hi->flags = 0;
	hi->host_mode = 0;
	hi->link = NULL;
	hi->fd = -1;
	hi->fd_write = false;
	hi->pins = 0;
	hi->forgotten = 0;
	spin_lock_init(&hi->complete_lock);
	mutex_init(&hi->open_mutex);
	INIT_LIST_HEAD(&hi->lru);
	return &hi->vfs_inode;
}

/* After the grace period: a path walk may still be reading the link. */
void humfs_free_inode(struct inode *inode)
{
	kfree(HUMFS_I(inode)->link);
	kmem_cache_free(humfs_inode_cache, HUMFS_I(inode));
}

void humfs_evict_inode(struct inode *inode)
{
	truncate_inode_pages_final(&inode->i_data);
	if (!inode->i_nlink)
		humfs_give_room(HUMFS_FILE_ROOM + (S_ISREG(inode->i_mode) ? i_size_read(inode) : 0));
	clear_inode(inode);
	humfs_drop_fd(inode);
}

static bool times_are_stored(struct inode *inode)
{
	struct humfs_inode *hi = HUMFS_I(inode);
	struct timespec64 atime = inode_get_atime(inode);
	struct timespec64 mtime = inode_get_mtime(inode);

	return test_bit(HUMFS_TIMES_STORED, &hi->flags) &&
	       timespec64_equal(&atime, &hi->stored_atime) &&
	       timespec64_equal(&mtime, &hi->stored_mtime);
}

/*
 * Only times are ever written late; owner, mode and size go to the host at
 * once.  An inode that cannot be found any more has lost its name, and with it
 * the use of its times; in plain mode they are the host's own.
 */
int humfs_write_inode(struct inode *inode, struct writeback_control *wbc)
{
	struct humfs_time atime = humfs_time(inode_get_atime(inode));
	struct humfs_time mtime = humfs_time(inode_get_mtime(inode));
	int err;

	if (!inode->i_nlink || IS_RDONLY(inode) || humfs_plain(inode) || times_are_stored(inode))
		return 0;
	err = humfs_store_times(inode, &atime, &mtime);
	return err == -ESTALE ? 0 : err;
}

static int store_times(struct inode *inode, const struct humfs_time *atime,
		       const struct humfs_time *mtime)
{
	struct humfs_place place;
	int fd, err;

	if (humfs_opens(inode)) {
		fd = humfs_get_fd(inode, false);
		if (fd < 0)
			return fd;
		err = humfs_host_utimes(fd, atime, mtime);
		humfs_put_fd(inode);
		return err;
	}
	err = humfs_locate(inode, &place);
	if (err)
		return err;
	err = humfs_host_utimes_name(place.dirfd, place.name, atime, mtime);
	humfs_unlocate(inode, &place);
	return err;
}

/* Who changes the file meanwhile, says so after that: the times are as good as unknown. */
int humfs_store_times(struct inode *inode, const struct humfs_time *atime,
		      const struct humfs_time *mtime)
{
	struct humfs_inode *hi = HUMFS_I(inode);
	int err;

	if (atime && mtime) {
		hi->stored_atime = (struct timespec64){ atime->sec, atime->nsec };
		hi->stored_mtime = (struct timespec64){ mtime->sec, mtime->nsec };
		set_bit(HUMFS_TIMES_STORED, &hi->flags);
	} else {
		clear_bit(HUMFS_TIMES_STORED, &hi->flags);
	}
	err = store_times(inode, atime, mtime);
	if (err)
		clear_bit(HUMFS_TIMES_STORED, &hi->flags);
	return err;
}

/* In plain mode there are files that may be looked at but not opened. */
int humfs_ask_stat(struct inode *inode, struct humfs_stat *st)
{
	struct humfs_place place;
	int fd, err;

	if (humfs_opens(inode) && !humfs_plain(inode))
		fd = humfs_get_fd(inode, false);
	else
		fd = humfs_get_open_fd(inode);
	if (fd >= 0) {
		err = humfs_host_stat(fd, st);
		humfs_put_fd(inode);
		return err;
	}
	err = humfs_locate(inode, &place);
	if (err)
		return err;
	err = humfs_host_stat_name(place.dirfd, place.name, st);
	humfs_unlocate(inode, &place);
	return err;
}

void humfs_set_times(struct inode *inode, const struct humfs_stat *st)
{
	struct humfs_inode *hi = HUMFS_I(inode);

	inode_set_atime(inode, st->atime.sec, st->atime.nsec);
	inode_set_mtime(inode, st->mtime.sec, st->mtime.nsec);
	inode_set_ctime(inode, st->ctime.sec, st->ctime.nsec);
	hi->btime = (struct timespec64){ st->btime.sec, st->btime.nsec };
	hi->seen_ctime = (struct timespec64){ st->ctime.sec, st->ctime.nsec };
	hi->stored_atime = inode_get_atime(inode);
	hi->stored_mtime = inode_get_mtime(inode);
	set_bit(HUMFS_TIMES_STORED, &hi->flags);
}

static void set_operations(struct inode *inode, dev_t rdev)
{
	switch (inode->i_mode & S_IFMT) {
	case S_IFREG:
		inode->i_op = &humfs_file_iops;
		inode->i_fop = &humfs_file_fops;
		inode->i_mapping->a_ops = &humfs_aops;
		break;
	case S_IFDIR:
		inode->i_op = &humfs_dir_iops;
		inode->i_fop = &humfs_dir_fops;
		break;
	case S_IFLNK:
		inode->i_op = &humfs_symlink_iops;
		break;
	default:
		init_special_inode(inode, inode->i_mode, rdev);
		inode->i_op = &humfs_special_iops;
		break;
	}
}

/* Fills a new inode from what the host said and @meta; takes @link. */
static void fill_inode(struct inode *inode, const struct humfs_meta *meta,
		       const struct humfs_stat *st, char *link)
{
	struct humfs_inode *hi = HUMFS_I(inode);

	inode->i_mode = humfs_type_bits(meta->type) | meta->mode;
	i_uid_write(inode, meta->uid);
	i_gid_write(inode, meta->gid);
	set_nlink(inode, st->nlink);
	humfs_set_times(inode, st);
	inode->i_blocks = st->blocks;
	hi->host_mode = st->mode & 07777;
	if (S_ISREG(inode->i_mode) || S_ISDIR(inode->i_mode))
		i_size_write(inode, st->size);
	if (S_ISLNK(inode->i_mode)) {
		hi->link = link;
		inode->i_link = link;
		i_size_write(inode, strlen(link));
	}
	if (!test_bit(HUMFS_HAS_XATTRS, &hi->flags))
		cache_no_acl(inode);
	set_operations(inode, MKDEV(meta->major, meta->minor));
}

/* Notes what a list of the host's attribute names means. */
static void note_names(struct humfs_inode *hi, const char *names, int len)
{
	const char *end = names + len;
	const char *name;

	for (name = names; name < end; name += strlen(name) + 1) {
		if (!strcmp(name, HUMFS_META_XATTR))
			set_bit(HUMFS_HAS_META, &hi->flags);
		else if (humfs_xattr_to_guest(name))
			set_bit(HUMFS_HAS_XATTRS, &hi->flags);
	}
}

/* Finds out which attributes a file or directory has. */
static int list_names(struct inode *inode, int fd)
{
	struct humfs_inode *hi = HUMFS_I(inode);
	char *names = kmalloc(LIST_MAX, GFP_KERNEL);
	int len;

	if (!names)
		return -ENOMEM;
	len = humfs_host_listxattr(fd, names, LIST_MAX - 1);
	if (len >= 0) {
		names[len] = '\0';
		note_names(hi, names, len);
	} else if (len == -ERANGE || len == -E2BIG) {
		set_bit(HUMFS_HAS_META, &hi->flags);
		set_bit(HUMFS_HAS_XATTRS, &hi->flags);
		len = 0;
	} else if (len == -EOPNOTSUPP) {
		len = 0;
	}
	kfree(names);
	return len < 0 ? len : 0;
}

/* Metadata that cannot be right is not guessed at: the tools can mend it. */
static int read_recorded(struct inode *inode, const char *name, int fd, enum humfs_type host,
			 struct humfs_meta *meta)
{
	char text[HUMFS_META_READ_MAX];
	int len = humfs_host_getxattr(fd, HUMFS_META_XATTR, text, sizeof(text));

	if (len == -ENODATA) {
		clear_bit(HUMFS_HAS_META, &HUMFS_I(inode)->flags);
		return 0;
	}
	if (len == -ERANGE)
		len = -EUCLEAN;
	if (len >= 0)
		len = humfs_meta_parse(text, len, host, meta);
	if (len == -EINVAL || (!len && !humfs_meta_fits(meta, host)))
		len = -EUCLEAN;
	if (len == -EUCLEAN)
		pr_warn_ratelimited("humfs: %s: \"%s\" has bad metadata\n",
				    humfs_share_of(inode->i_sb)->tag, name);
	return len;
}

/* The target of a symbolic link, wherever the host keeps it. */
static char *read_link(int dirfd, const char *name, int fd)
{
	char *target = kmalloc(PATH_MAX, GFP_KERNEL);
	int len;

	if (!target)
		return ERR_PTR(-ENOMEM);
	if (fd < 0)
		len = humfs_host_readlink_name(dirfd, name, target, PATH_MAX);
	else
		len = humfs_host_read(fd, target, PATH_MAX, 0);
	if (len <= 0 || len == PATH_MAX) {
		kfree(target);
		return ERR_PTR(len < 0 ? len : -EUCLEAN);
	}
	target[len] = '\0';
	return target;
}

/* @fd is open unless it is a symbolic link, a special file or in a plain share. */
static int load_inode(struct inode *inode, int dirfd, const char *name, int fd,
		      const struct humfs_stat *st)
{
	int host = humfs_type_of_mode(st->mode);
	struct humfs_inode *hi = HUMFS_I(inode);
	struct humfs_meta meta;
	char *link = NULL;
	int err = 0;

	if (host < 0)
		return -EUCLEAN;
	humfs_meta_default(host, st->mode, &meta);
	if (humfs_plain(inode))
		humfs_plain_meta(humfs_share_of(inode->i_sb), st, &meta);
	meta.major = st->rdev_major;
	meta.minor = st->rdev_minor;
	if (host == HUMFS_FILE || host == HUMFS_DIR) {
		if (fd < 0)	/* asked when somebody wants to know */
			set_bit(HUMFS_HAS_XATTRS, &hi->flags);
		else
			err = list_names(inode, fd);
		if (!err && !humfs_plain(inode) && test_bit(HUMFS_HAS_META, &hi->flags))
			err = read_recorded(inode, name, fd, host, &meta);
		if (err)
			return err;
	} else {
		set_bit(host == HUMFS_SYMLINK ? HUMFS_REAL_SYMLINK : HUMFS_FOREIGN, &hi->flags);
	}
	if (meta.type == HUMFS_SYMLINK) {
		meta.mode = 0777;
		link = read_link(dirfd, name, host == HUMFS_SYMLINK ? -1 : fd);
		if (IS_ERR(link))
			return PTR_ERR(link);
	}
	fill_inode(inode, &meta, st, link);
	return 0;
}

static unsigned long hash_of(const struct humfs_stat *st)
{
	return humfs_hash(st->dev, st->ino);
}

static int same_file(struct inode *inode, void *data)
{
	const struct humfs_stat *st = data;

	return HUMFS_I(inode)->host_ino == st->ino && HUMFS_I(inode)->host_dev == st->dev;
}

static int set_file(struct inode *inode, void *data)
{
	const struct humfs_stat *st = data;

	HUMFS_I(inode)->host_ino = st->ino;
	HUMFS_I(inode)->host_dev = st->dev;
	inode->i_ino = st->ino;
	return 0;
}

/* The inode of @name in @dirfd, which has @st, and is open as @fd or cannot be (-1). */
static struct inode *get_inode(struct super_block *sb, int dirfd, const char *name, int fd,
			       const struct humfs_stat *st)
{
	struct inode *inode;
	int err;

	inode = iget5_locked(sb, hash_of(st), same_file, set_file, (void *)st);
	if (!inode)
		return ERR_PTR(-ENOMEM);
	if (!(inode_state_read_once(inode) & I_NEW))
		return inode;
	err = load_inode(inode, dirfd, name, fd, st);
	if (err) {
		iget_failed(inode);
		return ERR_PTR(err);
	}
	unlock_new_inode(inode);
	return inode;
}

static int open_found(int dirfd, const char *name)
{
	int fd = humfs_host_open(dirfd, name, HUMFS_OPEN_READ);

	if ((fd == -EMFILE || fd == -ENFILE) && humfs_shrink_fds())
		fd = humfs_host_open(dirfd, name, HUMFS_OPEN_READ);
	return fd;
}

/*
 * What is in a share of recorded ownership can be opened, but for symbolic links.  Anything
 * may be in a plain one, where opening could wake up a device or somebody at a fifo.
 */
struct inode *humfs_find(struct super_block *sb, int dirfd, const char *name)
{
	bool plain = humfs_share_of(sb)->plain;
	int fd = plain ? -EOPNOTSUPP : open_found(dirfd, name);
	struct inode *inode;
	struct humfs_stat st;
	int err;

	if (fd == -ENOENT || fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM)
		return ERR_PTR(fd);
	err = fd >= 0 ? humfs_host_stat(fd, &st) : humfs_host_stat_name(dirfd, name, &st);
	if (err)
		inode = ERR_PTR(err);
	else if (fd < 0 && !plain && (S_ISREG(st.mode) || S_ISDIR(st.mode)))
		inode = ERR_PTR(fd);	/* the host's owner was taken a right on it */
	else
		inode = get_inode(sb, dirfd, name, fd, &st);
	if (fd < 0)
		return inode;
	if (!IS_ERR(inode) && humfs_opens(inode))
		humfs_offer_fd(inode, fd, false);
	else
		humfs_host_close(fd);
	return inode;
}

/*
 * The host may give a new file the inode number of one that was just removed
 * and whose inode here is still on its way out.  A new file is in no cache, so
 * whatever is found under its number is that one.
 */
static void unhash_stale(struct super_block *sb, const struct humfs_stat *st)
{
	struct inode *inode;

	while ((inode = ilookup5(sb, hash_of(st), same_file, (void *)st))) {
		remove_inode_hash(inode);
		iput(inode);
	}
}

struct inode *humfs_iget_new(struct super_block *sb, const struct humfs_meta *meta,
			     const struct humfs_stat *st, const char *link)
{
	int host = humfs_type_of_mode(st->mode);
	struct inode *inode;
	char *copy = NULL;

	if (link) {
		copy = kstrdup(link, GFP_KERNEL);
		if (!copy)
			return ERR_PTR(-ENOMEM);
	}
	unhash_stale(sb, st);
	inode = iget5_locked(sb, hash_of(st), same_file, set_file, (void *)st);
	if (!inode || WARN_ON_ONCE(!(inode_state_read_once(inode) & I_NEW))) {
		iput(inode);
		kfree(copy);
		return ERR_PTR(inode ? -ESTALE : -ENOMEM);
	}
	if (host == HUMFS_SYMLINK)
		set_bit(HUMFS_REAL_SYMLINK, &HUMFS_I(inode)->flags);
	else if (host != HUMFS_FILE && host != HUMFS_DIR)
		set_bit(HUMFS_FOREIGN, &HUMFS_I(inode)->flags);
	fill_inode(inode, meta, st, copy);
	/* By the guest's clock, which need not be the host's, like every later change. */
	if (!humfs_plain(inode))
		simple_inode_init_ts(inode);
	unlock_new_inode(inode);
	mark_inode_dirty_sync(inode);
	return inode;
}

void humfs_rehash(struct inode *inode, const struct humfs_stat *st)
{
	unhash_stale(inode->i_sb, st);
	remove_inode_hash(inode);
	set_file(inode, (void *)st);
	HUMFS_I(inode)->host_mode = st->mode & 07777;
	__insert_inode_hash(inode, hash_of(st));
}

struct inode *humfs_iget_root(struct super_block *sb, int fd)
{
	struct humfs_share *share = humfs_share_of(sb);
	struct humfs_stat st;
	struct inode *inode;
	int err;

	err = humfs_host_stat(fd, &st);
	if (err)
		return ERR_PTR(err);
	inode = get_inode(sb, -1, "/", fd, &st);
	if (IS_ERR(inode))
		return inode;
	humfs_adopt_fd(inode, fd, share->file && !share->force_ro);
	err = humfs_pin(inode);
	if (!err)
		return inode;
	iput(inode);
	return ERR_PTR(err);
}

void humfs_read_meta(const struct inode *inode, struct humfs_meta *meta)
{
	*meta = (struct humfs_meta){
		.uid = i_uid_read(inode),
		.gid = i_gid_read(inode),
		.mode = inode->i_mode & 07777,
		.type = humfs_type_of_mode(inode->i_mode),
	};
	if (S_ISCHR(inode->i_mode) || S_ISBLK(inode->i_mode)) {
		meta->major = MAJOR(inode->i_rdev);
		meta->minor = MINOR(inode->i_rdev);
	}
}

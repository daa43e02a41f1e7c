/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel half of humfs: what its files share.
 *
 * A share belongs to this kernel alone while it is mounted, so the dentry cache
 * and the page cache are believed without asking the host again.  An inode is
 * found on the host by a descriptor (fdcache.c) that can be closed and opened
 * again as long as the inode has a name; once it loses its last one while
 * somebody uses it, the descriptor is pinned.
 */
#ifndef HUMFS_KERN_H
#define HUMFS_KERN_H

#include <linux/fs.h>
#include <linux/rwsem.h>
#include "humfs.h"
#include "meta.h"

#define HUMFS_SUPER_MAGIC	0x68756d66	/* "humf" */
#define HUMFS_TAG_MAX		63

/* A directory or file of the host, named on the command line; it is mounted at most once. */
struct humfs_share {
	char tag[HUMFS_TAG_MAX + 1];
	int fd;
	bool force_ro;
	bool force_plain;
	bool force_nosync;
	bool file;		/* a single one, which is plain */
	/* While it is mounted: */
	bool plain;		/* no recorded ownership */
	bool nosync;		/* fsync() is counted, not obeyed */
	/* plain: who this kernel is on the host, and whose its files are here */
	u32 host_uid, host_gid;
	u32 uid, gid;
	atomic_long_t fsyncs;
	/*
	 * Written by renames around the call to the host and d_move(), read
	 * wherever an inode is looked for on the host by its dentry: between
	 * the two, the dentry's name would be wrong.
	 */
	struct rw_semaphore rename_sem;
};

enum humfs_flag {
	HUMFS_HAS_META,		/* the host file carries HUMFS_META_XATTR */
	HUMFS_HAS_XATTRS,	/* it may carry attributes that the guest sees */
	HUMFS_REAL_SYMLINK,	/* a symbolic link on the host, too */
	HUMFS_FOREIGN,		/* a fifo, socket or device on the host, too */
	HUMFS_OWN_NODE,		/* that was made here since the share was mounted */
	HUMFS_BLOCKS_STALE,	/* i_blocks is not what the host says */
	HUMFS_PINNED,		/* the inode itself holds a pin on its descriptor */
	HUMFS_TIMES_STORED,	/* the host's times are stored_atime and stored_mtime */
	HUMFS_COMPLETE,		/* a directory: names without a dentry are not there */
};

struct humfs_inode {
	struct inode vfs_inode;
	u64 host_dev;
	u64 host_ino;
	unsigned long flags;	/* enum humfs_flag */
	u16 host_mode;		/* permission bits of the host's file */
	struct timespec64 btime;
	struct timespec64 seen_ctime;	/* the host's, when it was last asked */
	struct timespec64 stored_atime;
	struct timespec64 stored_mtime;
	/* A directory: HUMFS_COMPLETE is set and cleared under the lock. */
	spinlock_t complete_lock;
	unsigned int forgotten;	/* how often one of its names lost its dentry */
	char *link;		/* target of a symbolic link */
	/* fdcache.c: */
	struct mutex open_mutex;	/* one opener at a time */
	int fd;			/* -1: none */
	bool fd_write;
	unsigned int pins;
	struct list_head lru;	/* while fd >= 0 and pins == 0 */
};

static inline struct humfs_inode *HUMFS_I(const struct inode *inode)
{
	return container_of(inode, struct humfs_inode, vfs_inode);
}

static inline struct humfs_share *humfs_share_of(const struct super_block *sb)
{
	return sb->s_fs_info;
}

static inline bool humfs_plain(const struct inode *inode)
{
	return humfs_share_of(inode->i_sb)->plain;
}

/* Where an inode is in the VFS's hash table. */
static inline unsigned long humfs_hash(u64 host_dev, u64 host_ino)
{
	return host_ino ^ (host_dev << 20);
}

/* After the host's file was changed: what it says of blocks and times is not known now. */
static inline void humfs_changed(struct inode *inode)
{
	set_bit(HUMFS_BLOCKS_STALE, &HUMFS_I(inode)->flags);
	clear_bit(HUMFS_TIMES_STORED, &HUMFS_I(inode)->flags);
}

static inline struct humfs_time humfs_time(struct timespec64 ts)
{
	return (struct humfs_time){ .sec = ts.tv_sec, .nsec = ts.tv_nsec };
}

/*
 * fdcache.c: a descriptor of the inode's host file, good until humfs_put_fd();
 * or -errno.  @write only makes sense for regular files.
 */
int humfs_get_fd(struct inode *inode, bool write);
/* The same if it happens to be open, else -1. */
int humfs_get_open_fd(struct inode *inode);
void humfs_put_fd(struct inode *inode);
/* Hands @fd to a new inode. */
void humfs_adopt_fd(struct inode *inode, int fd, bool write);
/* The same to one that may have one already, and is closed then. */
void humfs_offer_fd(struct inode *inode, int fd, bool write);
/* The inode is about to lose its name while somebody may still use it. */
int humfs_pin(struct inode *inode);
/* Closes the descriptor of an inode that nobody uses any more. */
void humfs_drop_fd(struct inode *inode);
/* Closes descriptors after the host said EMFILE; true if there were some. */
bool humfs_shrink_fds(void);
void humfs_init_fds(void);

/*
 * An inode's place on the host by its name: for opening it, and for what cannot be opened.
 * Held until humfs_unlocate(), renames wait.
 */
struct humfs_place {
	struct dentry *dentry;
	struct inode *dir;
	int dirfd;
	const char *name;
};

int humfs_locate(struct inode *inode, struct humfs_place *place);
void humfs_unlocate(struct inode *inode, struct humfs_place *place);

/* inode.c */
extern struct kmem_cache *humfs_inode_cache;
struct inode *humfs_alloc_inode(struct super_block *sb);
void humfs_free_inode(struct inode *inode);
void humfs_evict_inode(struct inode *inode);
int humfs_write_inode(struct inode *inode, struct writeback_control *wbc);
/* The inode of @name in @dirfd. */
struct inode *humfs_find(struct super_block *sb, int dirfd, const char *name);
/* Is it a file of the host that can be opened?  If not, there are only its names. */
static inline bool humfs_opens(const struct inode *inode)
{
	return !test_bit(HUMFS_REAL_SYMLINK, &HUMFS_I(inode)->flags) &&
	       !test_bit(HUMFS_FOREIGN, &HUMFS_I(inode)->flags);
}
/* What the host says of it now. */
int humfs_ask_stat(struct inode *inode, struct humfs_stat *st);
/* Sets times on the host; a NULL one stays. */
int humfs_store_times(struct inode *inode, const struct humfs_time *atime,
		      const struct humfs_time *mtime);
/* The inode of a file that was just made with that metadata. */
struct inode *humfs_iget_new(struct super_block *sb, const struct humfs_meta *meta,
			     const struct humfs_stat *st, const char *link);
/* Another host file is this inode's from now on. */
void humfs_rehash(struct inode *inode, const struct humfs_stat *st);
struct inode *humfs_iget_root(struct super_block *sb, int fd);
void humfs_set_times(struct inode *inode, const struct humfs_stat *st);
void humfs_read_meta(const struct inode *inode, struct humfs_meta *meta);

/* setattr.c */
extern const struct inode_operations humfs_file_iops;
extern const struct inode_operations humfs_special_iops;
extern const struct inode_operations humfs_symlink_iops;
int humfs_setattr(struct mnt_idmap *idmap, struct dentry *dentry, struct iattr *attr);
int humfs_getattr(struct mnt_idmap *idmap, const struct path *path, struct kstat *stat,
		  u32 request_mask, unsigned int flags);
/* Records owner and mode of the inode on the host; does not change the inode. */
int humfs_store_meta(struct dentry *dentry, struct inode *inode, const struct humfs_meta *meta);

/* plain.c: what the host says of a file that may have been changed there. */
extern const struct dentry_operations humfs_plain_dops;
void humfs_refresh(struct inode *inode, const struct humfs_stat *st);
/* Owner and mode of what the host says has @st. */
void humfs_plain_meta(const struct humfs_share *share, const struct humfs_stat *st,
		      struct humfs_meta *meta);
/* Gives an open file of the host the owner that @meta has, who has @now; -EPERM if it cannot. */
int humfs_plain_chown(const struct humfs_share *share, int fd, const struct humfs_meta *now,
		      const struct humfs_meta *meta);
/* What humfs_store_meta() is in plain mode. */
int humfs_store_plain(struct inode *inode, const struct humfs_meta *meta);

/* dir.c, rename.c, readdir.c */
extern const struct dentry_operations humfs_dops;
extern const struct inode_operations humfs_dir_iops;
extern const struct file_operations humfs_dir_fops;
int humfs_rename(struct mnt_idmap *idmap, struct inode *old_dir, struct dentry *old_dentry,
		 struct inode *new_dir, struct dentry *new_dentry, unsigned int flags);
/* A name of ours, for a moment or left by a kernel that was killed. */
bool humfs_is_aside(const char *name);
/* Turns a symbolic link of the host into a file that can carry attributes. */
int humfs_convert_symlink(struct dentry *dentry, struct inode *inode,
			  const struct humfs_meta *meta);
/* The mode of a fifo or socket of a plain share, by making it anew. */
int humfs_remake_node(struct inode *inode, unsigned int mode);
/* A name is there, or may be, that has no dentry. */
void humfs_incomplete(struct inode *dir);
/* The change of a directory's times by one of its entries. */
void humfs_touch_dir(struct inode *dir);
void humfs_count_subdir(struct inode *dir, int by);
/* Before a name of @dentry goes: keep the inode usable for those who have it. */
int humfs_before_unlink(struct dentry *dentry);

/* list.c: the names of a complete directory, which is locked; NULL if that cannot be told. */
struct humfs_list;
struct humfs_list *humfs_list_names(struct dentry *dir);
int humfs_list_emit(struct humfs_list *list, struct file *file, struct dir_context *ctx);
void humfs_list_free(struct humfs_list *list);

/* file.c, pages.c */
extern const struct file_operations humfs_file_fops;
extern const struct address_space_operations humfs_aops;
int humfs_fsync(struct file *file, loff_t start, loff_t end, int datasync);
int humfs_set_size(struct inode *inode, loff_t size);
ssize_t humfs_write_pages(struct kiocb *iocb, struct iov_iter *from);
void humfs_zero_tail(struct inode *inode, loff_t size);

/*
 * room.c: bytes that files may still grow.  humfs_take_room() gives as much of @want as there
 * is, humfs_take_all_room() all of it or -ENOSPC.
 */
#define HUMFS_FILE_ROOM	PAGE_SIZE	/* for being there */
bool humfs_room_is_limited(void);
u64 humfs_room_left(void);
/* What there is altogether: more than there was, if more was removed than written. */
u64 humfs_room_limit(void);
u64 humfs_take_room(u64 want);
int humfs_take_all_room(u64 want);
void humfs_give_room(u64 bytes);
/* A file for which there was room up to @promised has @size now. */
void humfs_room_of_size(loff_t promised, loff_t size);

/* xattr.c */
extern const struct xattr_handler * const humfs_xattr_handlers[];
ssize_t humfs_listxattr(struct dentry *dentry, char *buf, size_t size);
int humfs_get_host_xattr(struct inode *inode, const char *attr, void *buf, size_t size);
int humfs_set_host_xattr(struct dentry *dentry, struct inode *inode, const char *attr,
			 const void *buf, size_t size, int flags);

/* acl.c */
#ifdef CONFIG_HUMFS_POSIX_ACL
struct posix_acl *humfs_get_acl(struct inode *inode, int type, bool rcu);
int humfs_set_acl(struct mnt_idmap *idmap, struct dentry *dentry, struct posix_acl *acl,
		  int type);
/* The ACLs that a new file inherits, onto its host file; fills the cache later. */
int humfs_store_acl(int fd, struct posix_acl *acl, int type);
#else
#define humfs_get_acl NULL
#define humfs_set_acl NULL
static inline int humfs_store_acl(int fd, struct posix_acl *acl, int type)
{
	return 0;
}
#endif

#endif

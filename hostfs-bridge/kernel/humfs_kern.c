// SPDX-License-Identifier: GPL-2.0-only
/*
 * humfs: shares of the host with recorded ownership, for User-Mode Linux.
 *
 * A share is a directory of the host (or, in plain mode, a single file), handed
 * over as an open descriptor on the command line and mounted by its tag; no path of the host can be named from
 * inside.  Owners, modes and device numbers are kept in extended attributes of
 * the host's files (see meta.h).  Here: the command line, mounting, statistics.
 */
#include <linux/ctype.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/statfs.h>
#include "humfs_kern.h"

#define SHARES_MAX	64
#define READAHEAD_PAGES	128

static struct humfs_share shares[SHARES_MAX];
static unsigned int share_count;

static struct humfs_share *find_share(const char *tag)
{
	unsigned int i;

	for (i = 0; i < share_count; i++)
		if (!strcmp(shares[i].tag, tag))
			return &shares[i];
	return NULL;
}

static bool __init parse_flags(struct humfs_share *share, char *flags)
{
	char *flag;

	while ((flag = strsep(&flags, ":"))) {
		if (!strcmp(flag, "ro"))
			share->force_ro = true;
		else if (!strcmp(flag, "plain"))
			share->force_plain = true;
		else if (!strcmp(flag, "nosync"))
			share->force_nosync = true;
		else
			return false;
	}
	return true;
}

/* humfs=TAG:FD[:ro][:plain][:nosync], any number of times. */
static int __init parse_share(char *arg)
{
	struct humfs_share *share = &shares[share_count];
	char *rest = arg;
	char *tag = strsep(&rest, ":");
	char *number = strsep(&rest, ":");
	int kind = -EINVAL;

	if (share_count < SHARES_MAX && *tag && strlen(tag) <= HUMFS_TAG_MAX && number &&
	    !kstrtoint(number, 10, &share->fd) && share->fd >= 0 && !find_share(tag) &&
	    parse_flags(share, rest))
		kind = humfs_host_adopt(share->fd);
	if (kind < 0) {
		pr_err("humfs: \"%s\" is not a share: expected TAG:FD[:ro][:plain][:nosync], FD an open directory or file\n",
		       arg);
		memset(share, 0, sizeof(*share));
		return 1;
	}
	if (kind != HUMFS_ADOPTED_DIR) {
		share->file = true;
		share->force_plain = true;
		share->force_ro |= kind == HUMFS_ADOPTED_READ;
	}
	strscpy(share->tag, tag);
	init_rwsem(&share->rename_sem);
	share_count++;
	return 1;
}
__setup("humfs=", parse_share);

static int humfs_statfs(struct dentry *dentry, struct kstatfs *buf)
{
	struct humfs_share *share = humfs_share_of(dentry->d_sb);
	struct humfs_statfs sf;
	int err;

	err = humfs_host_statfs(share->fd, &sf);
	if (err)
		return err;
	buf->f_type = HUMFS_SUPER_MAGIC;
	buf->f_bsize = sf.bsize;
	buf->f_blocks = sf.blocks;
	buf->f_bfree = sf.bfree;
	buf->f_bavail = sf.bavail;
	if (humfs_room_is_limited()) {
		buf->f_blocks = humfs_room_limit() / sf.bsize;
		buf->f_bfree = min_t(u64, sf.bfree, humfs_room_left() / sf.bsize);
		buf->f_bavail = min_t(u64, sf.bavail, humfs_room_left() / sf.bsize);
	}
	buf->f_files = sf.files;
	buf->f_ffree = sf.ffree;
	buf->f_namelen = min_t(long, sf.namelen, NAME_MAX);
	buf->f_fsid = u64_to_fsid(huge_encode_dev(dentry->d_sb->s_dev));
	return 0;
}

static int humfs_sync_fs(struct super_block *sb, int wait)
{
	struct humfs_share *share = humfs_share_of(sb);

	if (!wait || share->nosync || sb_rdonly(sb))
		return 0;
	return humfs_host_syncfs(share->fd);
}

static int humfs_show_options(struct seq_file *seq, struct dentry *root)
{
	struct humfs_share *share = humfs_share_of(root->d_sb);

	if (share->plain)
		seq_printf(seq, ",plain,uid=%u,gid=%u", share->uid, share->gid);
	if (share->nosync)
		seq_puts(seq, ",nosync");
	return 0;
}

/* In /proc/self/mountstats. */
static int humfs_show_stats(struct seq_file *seq, struct dentry *root)
{
	seq_printf(seq, "\n\tfsyncs: %ld",
		   atomic_long_read(&humfs_share_of(root->d_sb)->fsyncs));
	return 0;
}

static const struct super_operations humfs_super_ops = {
	.alloc_inode	= humfs_alloc_inode,
	.free_inode	= humfs_free_inode,
	.evict_inode	= humfs_evict_inode,
	.write_inode	= humfs_write_inode,
	.statfs		= humfs_statfs,
	.sync_fs	= humfs_sync_fs,
	.show_options	= humfs_show_options,
	.show_stats	= humfs_show_stats,
};

enum { OPT_PLAIN, OPT_NOSYNC, OPT_UID, OPT_GID };

static const struct fs_parameter_spec humfs_parameters[] = {
	fsparam_flag("plain",	OPT_PLAIN),
	fsparam_flag("nosync",	OPT_NOSYNC),
	fsparam_u32("uid",	OPT_UID),
	fsparam_u32("gid",	OPT_GID),
	{}
};

struct humfs_options {
	bool plain;
	bool nosync;
	u32 uid, gid;		/* plain: whose the files of the host's user are */
};

static int humfs_parse_param(struct fs_context *fc, struct fs_parameter *param)
{
	struct humfs_options *options = fc->fs_private;
	struct fs_parse_result result;
	int opt = fs_parse(fc, humfs_parameters, param, &result);

	switch (opt) {
	case OPT_PLAIN:
		options->plain = true;
		return 0;
	case OPT_NOSYNC:
		options->nosync = true;
		return 0;
	case OPT_UID:
		options->uid = result.uint_32;
		return 0;
	case OPT_GID:
		options->gid = result.uint_32;
		return 0;
	default:
		return opt;
	}
}

/* Can the host record what the guest sees?  Said at the mount, not at the first file. */
static int check_xattrs(struct fs_context *fc, int fd)
{
	char byte;
	int len = humfs_host_getxattr(fd, HUMFS_META_XATTR, &byte, 0);

	if (len != -EOPNOTSUPP)
		return 0;
	return invalf(fc, "humfs: the host's filesystem has no user extended attributes");
}

static int open_root(struct fs_context *fc, struct super_block *sb)
{
	struct humfs_share *share = humfs_share_of(sb);
	struct inode *inode;
	int err, fd;

	fd = share->file ? humfs_host_dup(share->fd) : humfs_host_open_self(share->fd);
	if (fd < 0)
		return fd;
	err = share->plain ? 0 : check_xattrs(fc, fd);
	if (err) {
		humfs_host_close(fd);
		return err;
	}
	inode = humfs_iget_root(sb, fd);
	if (IS_ERR(inode)) {
		humfs_host_close(fd);
		return PTR_ERR(inode);
	}
	sb->s_root = d_make_root(inode);
	return sb->s_root ? 0 : -ENOMEM;
}

static int humfs_fill_super(struct super_block *sb, struct fs_context *fc)
{
	struct humfs_share *share = humfs_share_of(sb);
	struct humfs_options *options = fc->fs_private;
	int err;

	share->plain = options->plain || share->force_plain;
	share->nosync = options->nosync || share->force_nosync;
	share->host_uid = humfs_host_uid();
	share->host_gid = humfs_host_gid();
	share->uid = options->uid;
	share->gid = options->gid;
	atomic_long_set(&share->fsyncs, 0);
	humfs_init_fds();

	sb->s_blocksize = PAGE_SIZE;
	sb->s_blocksize_bits = PAGE_SHIFT;
	sb->s_maxbytes = MAX_LFS_FILESIZE;
	sb->s_magic = HUMFS_SUPER_MAGIC;
	sb->s_op = &humfs_super_ops;
	sb->s_xattr = humfs_xattr_handlers;
	sb->s_time_gran = 1;
	sb->s_flags |= SB_NOSEC;
	if (share->force_ro)
		sb->s_flags |= SB_RDONLY;
	if (IS_ENABLED(CONFIG_HUMFS_POSIX_ACL) && !share->plain)
		sb->s_flags |= SB_POSIXACL;
	set_default_d_op(sb, share->plain ? &humfs_plain_dops : &humfs_dops);
	err = super_setup_bdi(sb);
	if (err)
		return err;
	sb->s_bdi->ra_pages = READAHEAD_PAGES;
	sb->s_bdi->io_pages = READAHEAD_PAGES;
	return open_root(fc, sb);
}

static int humfs_get_tree(struct fs_context *fc)
{
	struct humfs_options *options = fc->fs_private;
	struct humfs_share *share;
	struct super_block *sb;
	int err;

	if (!fc->source)
		return invalf(fc, "humfs: no tag given");
	share = find_share(fc->source);
	if (!share)
		return invalf(fc, "humfs: no share has the tag \"%s\"", fc->source);
	err = get_tree_keyed(fc, humfs_fill_super, share);
	if (err)
		return err;
	/* It may have been mounted already, and then keeps how it was. */
	if (options->plain && !share->plain) {
		sb = fc->root->d_sb;
		dput(fc->root);
		fc->root = NULL;
		deactivate_locked_super(sb);
		return -EBUSY;
	}
	return 0;
}

static int humfs_reconfigure(struct fs_context *fc)
{
	struct humfs_share *share = humfs_share_of(fc->root->d_sb);
	struct humfs_options *options = fc->fs_private;

	sync_filesystem(fc->root->d_sb);
	if (share->force_ro && (fc->sb_flags_mask & SB_RDONLY) && !(fc->sb_flags & SB_RDONLY))
		return -EROFS;
	if (options->plain && !share->plain)
		return invalf(fc, "humfs: plain cannot be changed by a remount");
	if (options->nosync)
		share->nosync = true;
	return 0;
}

static void humfs_free_context(struct fs_context *fc)
{
	kfree(fc->fs_private);
}

static const struct fs_context_operations humfs_context_ops = {
	.parse_param	= humfs_parse_param,
	.get_tree	= humfs_get_tree,
	.reconfigure	= humfs_reconfigure,
	.free		= humfs_free_context,
};

static int humfs_init_fs_context(struct fs_context *fc)
{
	fc->fs_private = kzalloc_obj(struct humfs_options);
	if (!fc->fs_private)
		return -ENOMEM;
	fc->ops = &humfs_context_ops;
	return 0;
}

static struct file_system_type humfs_type = {
	.owner		 = THIS_MODULE,
	.name		 = "humfs",
	.init_fs_context = humfs_init_fs_context,
	.parameters	 = humfs_parameters,
	.kill_sb	 = kill_anon_super,
	.fs_flags	 = FS_RENAME_DOES_D_MOVE | FS_ALLOW_IDMAP,
};
MODULE_ALIAS_FS("humfs");

static void init_once(void *object)
{
	struct humfs_inode *hi = object;

	inode_init_once(&hi->vfs_inode);
}

static int __init init_humfs(void)
{
	int err;

	humfs_inode_cache = kmem_cache_create("humfs_inode", sizeof(struct humfs_inode), 0,
					      SLAB_RECLAIM_ACCOUNT | SLAB_ACCOUNT, init_once);
	if (!humfs_inode_cache)
		return -ENOMEM;
	err = register_filesystem(&humfs_type);
	if (err)
		kmem_cache_destroy(humfs_inode_cache);
	return err;
}
fs_initcall(init_humfs);

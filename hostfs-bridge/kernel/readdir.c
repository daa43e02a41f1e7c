// SPDX-License-Identifier: GPL-2.0-only
/*
 * humfs: reading directories.
 *
 * Whoever reads a directory mostly looks at what is in it next, and the types
 * are not known without having opened each file anyway.  So names get their
 * dentries here, and a directory of which all have one is complete.
 *
 * Every open directory reads through a descriptor of its own while it is being
 * read, and hands out the host's positions, so that what POSIX promises during
 * changes is what the host's filesystem promises.
 */
#include <linux/namei.h>
#include <linux/slab.h>
#include "humfs_kern.h"

#define BUFFER_SIZE	32768
#define LOOKED_UP_MAX	8192	/* names of one directory that get a dentry by being read */

struct reader {
	int fd;
	unsigned int looked_up;
	unsigned int forgotten;	/* of the inode, at the beginning */
	bool complete;	/* all names up to here have a dentry */
	loff_t pos;	/* of the next entry in the buffer */
	int off;
	int len;
	char buf[BUFFER_SIZE];
};

static int open_dir(struct inode *inode, struct file *file)
{
	int fd = humfs_get_fd(inode, false);

	if (fd < 0)
		return fd;
	humfs_put_fd(inode);
	file->private_data = NULL;
	return 0;
}

static void close_reader(struct file *file)
{
	struct reader *reader = file->private_data;

	if (!reader)
		return;
	humfs_host_close(reader->fd);
	kvfree(reader);
	file->private_data = NULL;
}

static int release_dir(struct inode *inode, struct file *file)
{
	close_reader(file);
	return 0;
}

static struct reader *open_reader(struct file *file)
{
	struct inode *inode = file_inode(file);
	struct reader *reader;
	int fd, dirfd;

	reader = kvmalloc_obj(*reader);
	if (!reader)
		return ERR_PTR(-ENOMEM);
	dirfd = humfs_get_fd(inode, false);
	fd = dirfd;
	if (dirfd >= 0) {
		fd = humfs_host_open_self(dirfd);
		if (fd == -EMFILE && humfs_shrink_fds())
			fd = humfs_host_open_self(dirfd);
		humfs_put_fd(inode);
	}
	if (fd < 0) {
		kvfree(reader);
		return ERR_PTR(fd);
	}
	reader->fd = fd;
	reader->pos = 0;
	reader->off = 0;
	reader->len = 0;
	file->private_data = reader;
	return reader;
}

/* The next entry, NULL at the end. */
static struct humfs_dirent *next_entry(struct reader *reader)
{
	struct humfs_dirent *entry;
	int len;

	if (reader->off >= reader->len) {
		len = humfs_host_getdents(reader->fd, reader->buf, BUFFER_SIZE);
		if (len <= 0)
			return ERR_PTR(len);
		reader->off = 0;
		reader->len = len;
	}
	entry = (struct humfs_dirent *)(reader->buf + reader->off);
	if (entry->reclen < sizeof(*entry) || entry->reclen > reader->len - reader->off)
		return ERR_PTR(-EIO);
	return entry;
}

struct by_number {
	u64 dev;
	u64 ino;
};

static int has_number(struct inode *inode, void *data)
{
	const struct by_number *number = data;

	return HUMFS_I(inode)->host_ino == number->ino && HUMFS_I(inode)->host_dev == number->dev;
}

static unsigned int recorded_type(struct inode *dir, int fd, const struct humfs_dirent *entry)
{
	struct by_number number = { HUMFS_I(dir)->host_dev, entry->ino };
	char text[HUMFS_META_READ_MAX];
	unsigned int type = DT_REG;
	struct humfs_meta meta;
	struct inode *inode;
	int file, len;

	inode = ilookup5(dir->i_sb, humfs_hash(number.dev, number.ino), has_number, &number);
	if (inode) {
		type = S_DT(inode->i_mode);
		iput(inode);
		return type;
	}
	file = humfs_host_open(fd, entry->name, HUMFS_OPEN_READ);
	if (file < 0)
		return type;
	len = humfs_host_getxattr(file, HUMFS_META_XATTR, text, sizeof(text));
	humfs_host_close(file);
	if (len >= 0 && !humfs_meta_parse(text, len, HUMFS_FILE, &meta))
		type = S_DT(humfs_type_bits(meta.type));
	return type;
}

/* Gives the name a dentry; the caller of iterate_shared() has locked the directory. */
static struct dentry *look_up(struct dentry *parent, struct reader *reader,
			      const struct humfs_dirent *entry)
{
	struct qstr name = QSTR_LEN(entry->name, strnlen(entry->name, NAME_MAX));
	struct dentry *dentry;

	if (reader->looked_up >= LOOKED_UP_MAX || humfs_is_aside(entry->name))
		return NULL;
	reader->looked_up++;
	dentry = lookup_noperm(&name, parent);
	if (IS_ERR(dentry))
		return NULL;
	if (d_really_is_positive(dentry))
		return dentry;
	dput(dentry);
	return NULL;
}

/*
 * What is a regular file on the host may be anything in the guest, and overlayfs
 * recognizes its whiteouts by their type.
 */
static unsigned int guest_type(struct file *file, struct reader *reader,
			       const struct humfs_dirent *entry)
{
	struct inode *dir = file_inode(file);
	unsigned int type = entry->type;
	struct dentry *dentry;
	struct humfs_stat st;

	if (!humfs_plain(dir)) {
		dentry = look_up(file_dentry(file), reader, entry);
		if (dentry) {
			type = S_DT(d_inode(dentry)->i_mode);
			dput(dentry);
			return type;
		}
		reader->complete = false;
	}
	if (type == DT_UNKNOWN && !humfs_host_stat_name(reader->fd, entry->name, &st))
		type = S_DT(st.mode);
	if (type != DT_REG || humfs_plain(dir))
		return type;
	return recorded_type(dir, reader->fd, entry);
}

/* A directory that was read to its end, and nothing of it was forgotten since. */
static void end_of_dir(struct inode *dir, struct reader *reader)
{
	struct humfs_inode *hi = HUMFS_I(dir);

	if (humfs_plain(dir) || !reader->complete)
		return;
	spin_lock(&hi->complete_lock);
	if (hi->forgotten == reader->forgotten)
		set_bit(HUMFS_COMPLETE, &hi->flags);
	spin_unlock(&hi->complete_lock);
}

static bool emit(struct file *file, struct dir_context *ctx, struct reader *reader,
		 const struct humfs_dirent *entry)
{
	const char *name = entry->name;

	if (!strcmp(name, "."))
		return dir_emit_dot(file, ctx);
	if (!strcmp(name, ".."))
		return dir_emit_dotdot(file, ctx);
	return dir_emit(ctx, name, strnlen(name, NAME_MAX), entry->ino,
			guest_type(file, reader, entry));
}

static int iterate_dir_shared(struct file *file, struct dir_context *ctx)
{
	struct reader *reader = file->private_data;
	struct humfs_dirent *entry;
	int err;

	if (!reader)
		reader = open_reader(file);
	if (IS_ERR(reader))
		return PTR_ERR(reader);
	if (ctx->pos == 0 || ctx->pos != reader->pos) {
		err = humfs_host_seekdir(reader->fd, ctx->pos);
		if (err)
			return err;
		reader->off = 0;
		reader->len = 0;
		reader->pos = ctx->pos;
		reader->looked_up = 0;
		reader->complete = !ctx->pos;
		reader->forgotten = READ_ONCE(HUMFS_I(file_inode(file))->forgotten);
	}
	for (;;) {
		entry = next_entry(reader);
		if (!entry)
			end_of_dir(file_inode(file), reader);
		if (IS_ERR_OR_NULL(entry))
			return PTR_ERR_OR_ZERO(entry);
		if (!emit(file, ctx, reader, entry))
			return 0;
		reader->pos = entry->off;
		ctx->pos = entry->off;
		reader->off += entry->reclen;
	}
}

const struct file_operations humfs_dir_fops = {
	.llseek		= generic_file_llseek,
	.read		= generic_read_dir,
	.iterate_shared	= iterate_dir_shared,
	.open		= open_dir,
	.release	= release_dir,
	.fsync		= humfs_fsync,
};

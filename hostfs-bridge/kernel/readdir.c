// SPDX-License-Identifier: GPL-2.0-only
/*
 * humfs: reading directories.
 *
 * Whoever reads a directory mostly looks at what is in it next, and the types
 * are not known without having opened each file anyway.  So names get their
 * dentries here, and a directory of which all have one is complete.  The next to
 * read it gets a list of them (list.c).
 *
 * Any other open directory reads through a descriptor of its own while it is being
 * read, and hands out the host's positions, so that what POSIX promises during
 * changes is what the host's filesystem promises.
 */
#include <linux/namei.h>
#include <linux/slab.h>
#include "humfs_kern.h"

#define BUFFER_SIZE	32768
#define LOOKED_UP_MAX	8192	/* names of one directory that get a dentry by being read */

struct reader {
	int fd;		/* -1 while there is a list */
	struct humfs_list *list;
	unsigned int looked_up;
	unsigned int forgotten;	/* of the inode, at the beginning */
	bool complete;	/* all names up to here have a dentry */
	loff_t pos;	/* of the next entry in the buffer */
	int off;
	int len;
	char *buf;	/* of BUFFER_SIZE */
};

static int open_dir(struct inode *inode, struct file *file)
{
	int fd;

	file->private_data = NULL;
	/* Whoever opens a directory reads it, for which the host may not be needed. */
	if (test_bit(HUMFS_COMPLETE, &HUMFS_I(inode)->flags))
		return 0;
	fd = humfs_get_fd(inode, false);
	if (fd < 0)
		return fd;
	humfs_put_fd(inode);
	return 0;
}

static int release_dir(struct inode *inode, struct file *file)
{
	struct reader *reader = file->private_data;

	if (!reader)
		return 0;
	if (reader->fd >= 0)
		humfs_host_close(reader->fd);
	humfs_list_free(reader->list);
	kvfree(reader->buf);
	kfree(reader);
	return 0;
}

static struct reader *get_reader(struct file *file)
{
	struct reader *reader = file->private_data;

	if (reader)
		return reader;
	reader = kzalloc_obj(*reader);
	if (!reader)
		return ERR_PTR(-ENOMEM);
	reader->fd = -1;
	file->private_data = reader;
	return reader;
}

/* A description of its own, with a position; the one that is there begins anew. */
static int open_host(struct file *file, struct reader *reader, loff_t pos)
{
	struct inode *inode = file_inode(file);
	int fd, dirfd;

	if (!reader->buf)
		reader->buf = kvmalloc(BUFFER_SIZE, GFP_KERNEL);
	if (!reader->buf)
		return -ENOMEM;
	reader->off = 0;
	reader->len = 0;
	reader->pos = pos;
	reader->looked_up = 0;
	reader->complete = !pos;
	reader->forgotten = READ_ONCE(HUMFS_I(inode)->forgotten);
	if (reader->fd >= 0)
		return humfs_host_seekdir(reader->fd, pos);
	dirfd = humfs_get_fd(inode, false);
	fd = dirfd;
	if (dirfd >= 0) {
		fd = humfs_host_open_self(dirfd);
		if (fd == -EMFILE && humfs_shrink_fds())
			fd = humfs_host_open_self(dirfd);
		humfs_put_fd(inode);
	}
	if (fd < 0)
		return fd;
	reader->fd = fd;
	return pos ? humfs_host_seekdir(fd, pos) : 0;
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
	struct reader *reader = get_reader(file);
	struct humfs_dirent *entry;
	int err;

	if (IS_ERR(reader))
		return PTR_ERR(reader);
	if (ctx->pos == 0) {
		humfs_list_free(reader->list);
		reader->list = humfs_list_names(file_dentry(file));
	}
	if (reader->list)
		return humfs_list_emit(reader->list, file, ctx);
	if (reader->fd < 0 || ctx->pos == 0 || ctx->pos != reader->pos) {
		err = open_host(file, reader, ctx->pos);
		if (err)
			return err;
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

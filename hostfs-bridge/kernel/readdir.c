// SPDX-License-Identifier: GPL-2.0-only
/*
 * humfs: reading directories.
 *
 * Every open directory reads through a descriptor of its own while it is being
 * read, and hands out the host's positions, so that what POSIX promises during
 * changes is what the host's filesystem promises.
 */
#include <linux/slab.h>
#include "humfs_kern.h"

#define BUFFER_SIZE	32768

struct reader {
	int fd;
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

static unsigned int recorded_type(int fd, const char *name)
{
	int file = humfs_host_open(fd, name, HUMFS_OPEN_READ);
	char text[HUMFS_META_READ_MAX];
	struct humfs_meta meta;
	int len;

	if (file < 0)
		return DT_REG;
	len = humfs_host_getxattr(file, HUMFS_META_XATTR, text, sizeof(text));
	humfs_host_close(file);
	if (len < 0 || humfs_meta_parse(text, len, HUMFS_FILE, &meta))
		return DT_REG;
	return S_DT(humfs_type_bits(meta.type));
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

/*
 * What is a regular file on the host may be anything in the guest, and overlayfs
 * recognizes its whiteouts by their type.
 */
static unsigned int guest_type(struct inode *dir, struct reader *reader,
			       const struct humfs_dirent *entry)
{
	struct by_number number = { HUMFS_I(dir)->host_dev, entry->ino };
	unsigned int type = entry->type;
	struct humfs_stat st;
	struct inode *inode;

	if (type == DT_UNKNOWN && !humfs_host_stat_name(reader->fd, entry->name, &st))
		type = S_DT(st.mode);
	if (type != DT_REG || humfs_plain(dir))
		return type;
	inode = ilookup5(dir->i_sb, humfs_hash(number.dev, number.ino), has_number, &number);
	if (!inode)
		return recorded_type(reader->fd, entry->name);
	type = S_DT(inode->i_mode);
	iput(inode);
	return type;
}

static bool emit(struct file *file, struct dir_context *ctx, struct reader *reader,
		 const struct humfs_dirent *entry)
{
	struct inode *dir = file_inode(file);
	const char *name = entry->name;

	if (!strcmp(name, "."))
		return dir_emit_dot(file, ctx);
	if (!strcmp(name, ".."))
		return dir_emit_dotdot(file, ctx);
	return dir_emit(ctx, name, strnlen(name, NAME_MAX), entry->ino,
			guest_type(dir, reader, entry));
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
	}
	for (;;) {
		entry = next_entry(reader);
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

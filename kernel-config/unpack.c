// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unpacking Linux: a stream of up to three archives, each read out of the one
 * around it (.deb, its data.tar, the tarball in that), so that nothing but the
 * wanted files reaches the disk.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel-config/tree.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/str.h"

enum { CHUNK = 1 << 18 };

/* One archive of the nest, and where its bytes come from. */
struct layer {
	struct archive *a;
	struct archive *outer;	/* the current entry of it, or */
	int fd;			/* this file */
	uint64_t read, size;	/* of the file */
	char buffer[CHUNK];
};

static void layer_free(struct layer **lp)
{
	if (!*lp)
		return;
	archive_read_free((*lp)->a);
	free_ptr(lp);
}
#define cleanup_layer __attribute__((cleanup(layer_free)))

static la_ssize_t layer_read(struct archive *a, void *arg, const void **data)
{
	struct layer *l = arg;
	ssize_t got;

	*data = l->buffer;
	if (l->outer) {
		got = archive_read_data(l->outer, l->buffer, CHUNK);
		if (got < 0)
			archive_set_error(a, archive_errno(l->outer) > 0 ? archive_errno(l->outer) : EIO,
					  "%s", archive_error_string(l->outer));
		return got < 0 ? ARCHIVE_FATAL : got;
	}
	do
		got = read(l->fd, l->buffer, CHUNK);
	while (got < 0 && errno == EINTR && !interrupted());
	if (got < 0) {
		archive_set_error(a, errno, "%s", strerror(errno));
		return ARCHIVE_FATAL;
	}
	l->read += (uint64_t)got;
	return got;
}

static int layer_fail(const struct layer *l, const char *name, struct error *e)
{
	const char *why = archive_error_string(l->a);
	int errnum = archive_errno(l->a);

	if (interrupted())
		return err_set(e, EINTR, "interrupted");
	return err_set(e, errnum > 0 ? errnum : EBADMSG, "cannot unpack '%s': %s", name,
		       why ? why : "damaged");
}

/* The archive in @outer's current entry, or in @fd. */
static int layer_open(struct archive *outer, int fd, const char *name, struct layer **lp,
		      struct error *e)
{
	struct layer *l = xcalloc(1, sizeof(*l));
	struct stat st;

	l->outer = outer;
	l->fd = fd;
	if (!outer && fstat(fd, &st) == 0)
		l->size = (uint64_t)st.st_size;
	l->a = archive_read_new();
	*lp = l;
	if (!l->a)
		return err_set(e, ENOMEM, "cannot unpack '%s': out of memory", name);
	archive_read_support_filter_all(l->a);
	archive_read_support_format_tar(l->a);
	archive_read_support_format_ar(l->a);
	if (archive_read_open(l->a, l, NULL, layer_read, NULL) != ARCHIVE_OK)
		return layer_fail(l, name, e);
	return 0;
}

/* Moves @l to its next entry whose name matches @pattern; 0, or -ENOENT at the end. */
static int find_entry(struct layer *l, const char *pattern, const char *name, struct error *e)
{
	struct archive_entry *entry;

	for (;;) {
		int ret = archive_read_next_header(l->a, &entry);

		if (ret == ARCHIVE_EOF)
			return err_set(e, EBADMSG, "'%s' holds no %s: it is not a linux-source package",
				       name, pattern);
		if (ret < ARCHIVE_WARN)
			return layer_fail(l, name, e);

		const char *path = archive_entry_pathname(entry);

		if (path && str_starts(path, "./"))
			path += 2;
		if (path && fnmatch(pattern, path, 0) == 0)
			return 0;
	}
}

static int write_file(struct tree *t, struct layer *l, const char *path, mode_t mode,
		      const char *name, struct error *e)
{
	cleanup_close int fd = tree_create(t, path, mode, e);

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	for (;;) {
		const void *data;
		size_t len;
		la_int64_t offset;
		int ret = archive_read_data_block(l->a, &data, &len, &offset);

		if (ret == ARCHIVE_EOF)
			return 0;
		if (ret < ARCHIVE_WARN)
			return layer_fail(l, name, e);
		ret = pwrite_full(fd, data, len, offset);
		if (ret < 0)
			return err_sys(e, -ret, "cannot write '%s'", path);
		t->bytes += len;
	}
}

/* "linux-source-7.3/fs/open.c" -> "fs/open.c"; NULL for the top itself. */
static const char *below_top(const char *path)
{
	if (str_starts(path, "./"))
		path += 2;
	path = strchr(path, '/');
	return path && path[1] ? path + 1 : NULL;
}

static int write_tree(struct tree *t, struct layer *l, struct layer *bottom, const char *name,
		      struct error *e)
{
	struct archive_entry *entry;
	int ret = 0;

	while (ret == 0 && (ret = archive_read_next_header(l->a, &entry)) != ARCHIVE_EOF) {
		const char *path = archive_entry_pathname(entry);
		mode_t mode = archive_entry_mode(entry);

		if (ret < ARCHIVE_WARN)
			return layer_fail(l, name, e);
		ret = 0;
		if (interrupted())
			return err_set(e, EINTR, "interrupted");
		path = path ? below_top(path) : NULL;
		if (!path)
			continue;
		if (archive_entry_hardlink(entry))
			ret = err_set(e, EBADMSG, "'%s' has a hard link, '%s': it is not a Linux source",
				      name, path);
		else if (S_ISREG(mode))
			ret = write_file(t, l, path, mode, name, e);
		else if (S_ISLNK(mode) && archive_entry_symlink(entry))
			ret = tree_symlink(t, path, archive_entry_symlink(entry), e);
		progress_step(t->progress, bottom->read, bottom->size, NULL);
	}
	return ret == ARCHIVE_EOF ? 0 : ret;
}

int tree_unpack(struct tree *t, int fd, const char *name, struct error *e)
{
	cleanup_layer struct layer *file = NULL, *data = NULL, *source = NULL;
	char magic[8] = "";
	bool deb = pread_full(fd, magic, sizeof(magic), 0) == sizeof(magic) &&
		   memcmp(magic, "!<arch>\n", sizeof(magic)) == 0;
	int ret = layer_open(NULL, fd, name, &file, e);

	if (ret < 0)
		return ret;
	if (!deb)
		return write_tree(t, file, file, name, e);
	ret = find_entry(file, "data.tar*", name, e);
	if (ret == 0)
		ret = layer_open(file->a, -1, name, &data, e);
	if (ret == 0)
		ret = find_entry(data, "usr/src/linux-source-*.tar*", name, e);
	if (ret == 0)
		ret = layer_open(data->a, -1, name, &source, e);
	if (ret == 0)
		ret = write_tree(t, source, file, name, e);
	return ret;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* The files of an image layout, in a directory or in a tar file: see private.h. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostfs-bridge/oci/private.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/xdg.h"

#define BUFFER ((size_t)256 << 10)

struct layout {
	const char *name;
	int dirfd;			/* -1: an archive */
	struct archive *archive;
	int64_t time;
};

struct layout *layout_directory(int dirfd, const char *name)
{
	struct layout *l = xcalloc(1, sizeof(*l));

	l->name = name;
	l->dirfd = dirfd;
	return l;
}

static int archive_failed(struct layout *l, struct error *e)
{
	const char *text = archive_error_string(l->archive);
	int errnum = archive_errno(l->archive);

	if (errnum <= 0)
		errnum = EIO;
	return err_set(e, errnum, "cannot write '%s': %s", l->name, text ? text : strerror(errnum));
}

int layout_archive(struct layout **out, int fd, const char *name, int64_t time, struct error *e)
{
	struct layout *l = layout_directory(-1, name);

	*out = l;
	l->time = time;
	l->archive = archive_write_new();
	archive_write_set_format_ustar(l->archive);
	archive_write_set_bytes_in_last_block(l->archive, 1);
	return archive_write_open_fd(l->archive, fd) != ARCHIVE_OK ? archive_failed(l, e) : 0;
}

static int put_header(struct layout *l, const char *path, mode_t mode, uint64_t size,
		      struct error *e)
{
	struct archive_entry *entry = archive_entry_new();
	int ret;

	archive_entry_set_pathname(entry, path);
	archive_entry_set_mode(entry, mode);
	archive_entry_set_size(entry, (la_int64_t)size);
	archive_entry_set_mtime(entry, l->time, 0);
	archive_entry_set_uid(entry, 0);
	archive_entry_set_gid(entry, 0);
	ret = archive_write_header(l->archive, entry) != ARCHIVE_OK ? archive_failed(l, e) : 0;
	archive_entry_free(entry);
	return ret;
}

int layout_folder(struct layout *l, const char *path, struct error *e)
{
	if (l->archive)
		return put_header(l, path, S_IFDIR | 0755, 0, e);
	return mkdirat(l->dirfd, path, 0777) < 0 ?
	       err_sys(e, errno, "cannot make '%s' in '%s'", path, l->name) : 0;
}

int layout_text(struct layout *l, const char *path, const char *text, struct error *e)
{
	size_t len = strlen(text);
	int ret;

	if (!l->archive)
		return file_replace(l->dirfd, path, text, len, 0666, e);
	ret = put_header(l, path, S_IFREG | 0644, len, e);
	if (ret == 0 && archive_write_data(l->archive, text, len) != (la_ssize_t)len)
		ret = archive_failed(l, e);
	return ret;
}

int layout_scratch(struct layout *l, struct error *e)
{
	cleanup_free char *dir = NULL;
	int ret = l->archive ? xdg_dir(XDG_CACHE, "work", &dir, e) : 0, fd;

	if (ret < 0)
		return ret;
	fd = openat(l->dirfd, dir ? dir : ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
	return fd < 0 ? err_sys(e, errno, "cannot make a file in '%s'", dir ? dir : l->name) : fd;
}

static int put_contents(struct layout *l, int fd, uint64_t size, struct error *e)
{
	cleanup_free char *buf = xmalloc(BUFFER);

	for (uint64_t at = 0; at < size;) {
		size_t want = size - at < BUFFER ? (size_t)(size - at) : BUFFER;
		ssize_t n = pread_full(fd, buf, want, (off_t)at);

		if (n <= 0)
			return err_sys(e, n < 0 ? (int)-n : EIO, "cannot read a layer again");
		if (interrupted())
			return err_set(e, EINTR, "interrupted");
		if (archive_write_data(l->archive, buf, (size_t)n) != (la_ssize_t)n)
			return archive_failed(l, e);
		at += (uint64_t)n;
	}
	return 0;
}

int layout_file(struct layout *l, const char *path, int fd, uint64_t size, struct error *e)
{
	char proc[64];
	int ret;

	if (l->archive) {
		ret = put_header(l, path, S_IFREG | 0644, size, e);
		return ret < 0 ? ret : put_contents(l, fd, size, e);
	}
	/* it is a nameless file of this directory */
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, proc, l->dirfd, path, AT_SYMLINK_FOLLOW) < 0 ?
	       err_sys(e, errno, "cannot make '%s' in '%s'", path, l->name) : 0;
}

int layout_finish(struct layout *l, struct error *e)
{
	return l->archive && archive_write_close(l->archive) != ARCHIVE_OK ? archive_failed(l, e) : 0;
}

void layout_free(struct layout **lp)
{
	struct layout *l = steal_ptr(lp);

	if (!l)
		return;
	if (l->archive)
		archive_write_free(l->archive);
	free(l);
}

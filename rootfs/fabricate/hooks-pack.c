// SPDX-License-Identifier: GPL-2.0-or-later
/* Packing and unpacking for hooks, through libarchive: see hooks-pack.h. */
#include "rootfs/fabricate/private.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/str.h"

#define PIECE ((size_t)64 << 10)

static int failed(struct error *e, struct archive *a, const char *what, const char *path)
{
	const char *why = archive_error_string(a);

	return err_set(e, EIO, "cannot %s '%s': %s", what, path, why ? why : "unknown error");
}

static int copy_data(struct archive *from, struct archive *to, const char *path, struct error *e)
{
	for (;;) {
		char buf[PIECE];
		la_ssize_t len = archive_read_data(from, buf, sizeof(buf));

		if (len == 0)
			return 0;
		if (len < 0)
			return failed(e, from, "read", path);
		if (archive_write_data(to, buf, (size_t)len) < 0)
			return failed(e, to, "write", path);
	}
}

/* "dir/a/b" becomes "a/b" (or, of contents, "./b"), @skip being what is cut away. */
static void rename_entry(struct archive_entry *entry, size_t skip, bool contents)
{
	const char *name = archive_entry_pathname(entry);
	cleanup_free char *rest = xstrdup(strlen(name) > skip ? name + skip : "");
	const char *tail = rest + strspn(rest, "/");
	cleanup_free char *new = contents ? xasprintf("./%s", tail) : xstrdup(tail);

	archive_entry_set_pathname(entry, new);
}

static int pack_all(struct archive *disk, struct archive *tar, size_t skip, bool contents,
		    struct error *e)
{
	struct archive_entry_linkresolver *links = archive_entry_linkresolver_new();
	struct archive_entry *entry = archive_entry_new();
	int ret = 0;

	archive_entry_linkresolver_set_strategy(links, ARCHIVE_FORMAT_TAR_PAX_RESTRICTED);
	while (ret == 0) {
		struct archive_entry *spare = NULL, *one = entry;
		int r = archive_read_next_header2(disk, entry);

		if (r == ARCHIVE_EOF)
			break;
		if (r < ARCHIVE_WARN) {
			ret = failed(e, disk, "read", "the files of a hook");
			break;
		}
		archive_read_disk_descend(disk);

		cleanup_free char *path = xstrdup(archive_entry_pathname(entry));

		rename_entry(entry, skip, contents);
		archive_entry_linkify(links, &one, &spare);
		if (archive_write_header(tar, one) < ARCHIVE_WARN)
			ret = failed(e, tar, "pack", path);
		else if (archive_entry_size(one) > 0)
			ret = copy_data(disk, tar, path, e);
	}
	archive_entry_free(entry);
	archive_entry_linkresolver_free(links);
	return ret;
}

int hooks_pack(const char *path, bool contents, int fd, struct error *e)
{
	cleanup_free char *top = xstrdup(path);
	struct archive *disk = archive_read_disk_new(), *tar = archive_write_new();
	size_t len = strlen(top), skip;
	int ret = 0;

	while (len > 1 && top[len - 1] == '/')
		top[--len] = '\0';

	char *slash = strrchr(top, '/');

	skip = contents ? len : slash ? (size_t)(slash + 1 - top) : 0;
	archive_read_disk_set_symlink_physical(disk);
	archive_write_set_format_pax_restricted(tar);
	archive_write_add_filter_none(tar);
	if (archive_write_open_fd(tar, fd) != ARCHIVE_OK)
		ret = failed(e, tar, "pack", path);
	else if (archive_read_disk_open(disk, top) != ARCHIVE_OK)
		ret = failed(e, disk, "read", path);
	if (ret == 0)
		ret = pack_all(disk, tar, skip, contents, e);
	if (archive_write_close(tar) != ARCHIVE_OK && ret == 0)
		ret = failed(e, tar, "pack", path);
	archive_read_free(disk);
	archive_write_free(tar);
	if (ret == 0 && lseek(fd, 0, SEEK_SET) < 0)
		ret = err_sys(e, errno, "cannot pack '%s'", path);
	return ret;
}

int hooks_parents(const char *path, struct error *e)
{
	cleanup_free char *dir = xstrdup(path);
	char *slash = strrchr(dir, '/');

	if (!slash || slash == dir)
		return 0;
	*slash = '\0';
	return make_dirs(AT_FDCWD, dir, 0777, e);
}

int hooks_unpack(int fd, const char *to, struct error *e)
{
	/* the tar file is the guest's: nothing of it may lead out of the directory */
	int flags = ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_UNLINK |
		    ARCHIVE_EXTRACT_SECURE_NODOTDOT | ARCHIVE_EXTRACT_SECURE_SYMLINKS |
		    ARCHIVE_EXTRACT_XATTR;
	int ret = make_dirs(AT_FDCWD, to, 0777, e);
	cleanup_free char *dir = ret ? NULL : realpath(to, NULL);

	if (ret == 0 && !dir)
		ret = err_sys(e, errno, "cannot enter '%s'", to);
	if (ret < 0)
		return ret;

	struct archive *tar = archive_read_new(), *disk = archive_write_disk_new();

	if (geteuid() == 0)
		flags |= ARCHIVE_EXTRACT_OWNER;
	archive_read_support_format_tar(tar);
	archive_read_support_format_empty(tar);
	archive_write_disk_set_options(disk, flags);
	if (ret == 0 && archive_read_open_fd(tar, fd, PIECE) != ARCHIVE_OK)
		ret = failed(e, tar, "unpack into", dir);
	while (ret == 0) {
		struct archive_entry *entry;
		int r = archive_read_next_header(tar, &entry);

		if (r == ARCHIVE_EOF)
			break;
		if (r < ARCHIVE_WARN) {
			ret = failed(e, tar, "unpack into", dir);
			break;
		}

		cleanup_free char *path = xasprintf("%s/%s", dir, archive_entry_pathname(entry));
		const char *hard = archive_entry_hardlink(entry);
		cleanup_free char *target = hard ? xasprintf("%s/%s", dir, hard) : NULL;

		archive_entry_set_pathname(entry, path);
		if (target)
			archive_entry_set_hardlink(entry, target);
		if (archive_write_header(disk, entry) < ARCHIVE_WARN)
			ret = failed(e, disk, "unpack", path);
		else if (archive_entry_size(entry) > 0)
			ret = copy_data(tar, disk, path, e);
		if (ret == 0 && archive_write_finish_entry(disk) < ARCHIVE_WARN)
			ret = failed(e, disk, "unpack", path);
	}
	archive_read_free(tar);
	if (archive_write_close(disk) != ARCHIVE_OK && ret == 0)
		ret = failed(e, disk, "unpack into", dir);
	archive_write_free(disk);
	return ret;
}

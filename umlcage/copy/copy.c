// SPDX-License-Identifier: GPL-2.0-or-later
/* Files from and to tar streams, by libarchive: see copy.h. */
#include "umlcage/copy/copy.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "umlcage/base/str.h"

enum { BLOCK = 65536 };

static int archive_failure(struct archive *a, const char *what, struct error *e)
{
	int errnum = archive_errno(a);
	const char *text = archive_error_string(a);

	return err_set(e, errnum > 0 ? errnum : EIO, "%s: %s", what, text ? text : "unknown error");
}

/* ---- out of the host ---- */

/* Holes are zeros in the stream. */
static int write_data(struct archive *disk, struct archive *out, const char *path, struct error *e)
{
	static const char zeros[BLOCK];
	la_int64_t offset, at = 0;
	const void *block;
	size_t len;
	int ret;

	while ((ret = archive_read_data_block(disk, &block, &len, &offset)) == ARCHIVE_OK) {
		while (at < offset) {
			size_t n = offset - at < BLOCK ? (size_t)(offset - at) : BLOCK;

			if (archive_write_data(out, zeros, n) < 0)
				return archive_failure(out, path, e);
			at += (la_int64_t)n;
		}
		if (len && archive_write_data(out, block, len) < 0)
			return archive_failure(out, path, e);
		at += (la_int64_t)len;
	}
	return ret == ARCHIVE_EOF ? 0 : archive_failure(disk, path, e);
}

static int pack_entry(struct archive *disk, struct archive *out, struct archive_entry *ent,
		      const char *top, const char *name, struct error *e)
{
	cleanup_free char *path = xstrdup(archive_entry_pathname(ent));
	cleanup_free char *called = xasprintf("%s%s", name, path + strlen(top));

	if (archive_entry_filetype(ent) == AE_IFDIR && archive_read_disk_can_descend(disk))
		(void)archive_read_disk_descend(disk);
	if (archive_entry_filetype(ent) == AE_IFSOCK)
		return 0;
	archive_entry_set_pathname(ent, called);
	archive_entry_set_uname(ent, NULL);
	archive_entry_set_gname(ent, NULL);
	/* what the host keeps beside a file is the host's */
	archive_entry_xattr_clear(ent);
	archive_entry_acl_clear(ent);
	archive_entry_set_fflags(ent, 0, 0);
	if (archive_write_header(out, ent) < ARCHIVE_OK)
		return archive_failure(out, path, e);
	if (archive_entry_filetype(ent) != AE_IFREG || archive_entry_size(ent) == 0)
		return 0;
	return write_data(disk, out, path, e);
}

static int pack_all(struct archive *disk, struct archive *out, const char *top, const char *name,
		    uid_t uid, gid_t gid, struct error *e)
{
	struct archive_entry *ent = archive_entry_new();
	int ret = 0, got = ARCHIVE_OK;

	while (ret == 0 && (got = archive_read_next_header2(disk, ent)) == ARCHIVE_OK) {
		archive_entry_set_uid(ent, uid);
		archive_entry_set_gid(ent, gid);
		ret = pack_entry(disk, out, ent, top, name, e);
	}
	if (ret == 0 && got != ARCHIVE_EOF)
		ret = archive_failure(disk, top, e);
	archive_entry_free(ent);
	return ret;
}

int copy_pack(const char *path, const char *name, uid_t uid, gid_t gid, int fd, struct error *e)
{
	struct archive *disk = archive_read_disk_new(), *out = archive_write_new();
	cleanup_free char *top = xstrdup(path);
	int ret = 0;

	for (size_t len = strlen(top); len > 1 && top[len - 1] == '/';)
		top[--len] = '\0';
	(void)archive_read_disk_set_symlink_physical(disk);
	(void)archive_write_set_format_pax_restricted(out);
	(void)archive_write_set_bytes_per_block(out, BLOCK);
	(void)archive_write_set_bytes_in_last_block(out, 1);
	if (archive_read_disk_open(disk, top) != ARCHIVE_OK)
		ret = archive_failure(disk, top, e);
	else if (archive_write_open_fd(out, fd) != ARCHIVE_OK)
		ret = archive_failure(out, "cannot write the copy", e);
	if (ret == 0)
		ret = pack_all(disk, out, top, name, uid, gid, e);
	if (ret == 0 && archive_write_close(out) != ARCHIVE_OK)
		ret = archive_failure(out, "cannot write the copy", e);
	archive_read_free(disk);
	archive_write_free(out);
	return ret;
}

/* ---- onto the host ---- */

/* "TOP/rest" as "NAME/rest"; NULL for a name with "..", or an absolute one. */
static char *renamed(const char *path, const char *name)
{
	while (str_starts(path, "./"))
		path += 2;
	if (*path == '/' || !*path || str_eq(path, "..") || str_starts(path, "../") ||
	    strstr(path, "/../") || str_ends(path, "/.."))
		return NULL;
	return xasprintf("%s%s", name, path + strcspn(path, "/"));
}

static int rename_entry(struct archive_entry *ent, const char *name, struct error *e)
{
	const char *given = archive_entry_pathname(ent), *link = archive_entry_hardlink(ent);
	cleanup_free char *path = given ? renamed(given, name) : NULL;
	cleanup_free char *to = link ? renamed(link, name) : NULL;

	if (!path || (link && !to))
		return err_set(e, EINVAL, "the cage sent a file with a name that leads elsewhere: '%s'",
			       given ? given : "");
	archive_entry_set_pathname(ent, path);
	if (to)
		archive_entry_set_hardlink(ent, to);
	return 0;
}

static int unpack_data(struct archive *in, struct archive *disk, const char *name, struct error *e)
{
	const void *block;
	size_t len;
	la_int64_t offset;
	int ret;

	while ((ret = archive_read_data_block(in, &block, &len, &offset)) == ARCHIVE_OK)
		if (archive_write_data_block(disk, block, len, offset) < ARCHIVE_OK)
			return archive_failure(disk, name, e);
	return ret == ARCHIVE_EOF ? 0 : archive_failure(in, "cannot read the copy", e);
}

static bool is_device(const struct archive_entry *ent)
{
	mode_t type = archive_entry_filetype((struct archive_entry *)(uintptr_t)ent);

	return type == AE_IFCHR || type == AE_IFBLK;
}

static int unpack_entry(struct archive *in, struct archive *disk, struct archive_entry *ent,
			const char *name, struct error *e)
{
	int ret = rename_entry(ent, name, e);

	if (ret < 0)
		return ret;
	archive_entry_set_perm(ent, archive_entry_perm(ent) & 01777);
	if (archive_write_header(disk, ent) < ARCHIVE_OK)
		return archive_failure(disk, archive_entry_pathname(ent), e);
	if (!archive_entry_hardlink(ent) && archive_entry_size(ent) > 0)
		ret = unpack_data(in, disk, archive_entry_pathname(ent), e);
	if (ret == 0 && archive_write_finish_entry(disk) < ARCHIVE_OK)
		ret = archive_failure(disk, archive_entry_pathname(ent), e);
	return ret;
}

static int unpack_all(struct archive *in, struct archive *disk, const char *name, struct error *e)
{
	cleanup_free char *device = NULL;
	struct archive_entry *ent;
	int ret = 0, got = ARCHIVE_OK;

	while (ret == 0 && (got = archive_read_next_header(in, &ent)) == ARCHIVE_OK) {
		if (is_device(ent)) {
			free_ptr(&device);
			device = xstrdup(archive_entry_pathname(ent));
			continue;
		}
		ret = unpack_entry(in, disk, ent, name, e);
	}
	if (ret == 0 && got != ARCHIVE_EOF)
		ret = archive_failure(in, "cannot read the copy", e);
	if (ret == 0 && archive_write_close(disk) != ARCHIVE_OK)
		ret = archive_failure(disk, "cannot write the copy", e);
	if (ret == 0 && device)
		ret = err_set(e, EOPNOTSUPP, "'%s' is a device, which only root can make here; with --share "
			      "it is recorded", device);
	return ret;
}

int copy_unpack(int fd, int dirfd, const char *name, struct error *e)
{
	struct archive *in = archive_read_new(), *disk = archive_write_disk_new();
	int ret = 0;

	(void)archive_read_support_format_tar(in);
	(void)archive_write_disk_set_options(disk, ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_PERM |
					     ARCHIVE_EXTRACT_UNLINK | ARCHIVE_EXTRACT_SECURE_SYMLINKS |
					     ARCHIVE_EXTRACT_SECURE_NODOTDOT |
					     ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS);
	/* libarchive knows paths only */
	if (fchdir(dirfd) < 0)
		ret = err_sys(e, errno, "cannot enter the folder");
	else if (archive_read_open_fd(in, fd, BLOCK) != ARCHIVE_OK)
		ret = archive_failure(in, "cannot read the copy", e);
	if (ret == 0)
		ret = unpack_all(in, disk, name, e);
	archive_read_free(in);
	archive_write_free(disk);
	return ret;
}

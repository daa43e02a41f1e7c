// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Shares into archives: see pack.h.  One walk in sorted order; the archive is made here,
 * compressed and written by the stream's thread.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostfs-bridge/pack/pack.h"
#include "hostfs-bridge/pack/private.h"
#include "hostfs-bridge/share/share.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/hash.h"
#include "umlcage/base/interrupt.h"

#define BUFFER		((size_t)256 << 10)
#define ZEROES		((size_t)64 << 20)	/* address space, not memory */
#define MAX_WARNINGS	20

const struct share_format share_tar = {
	.format = "pax", .xattrs = true, .sparse = true, .dot = true,
};

const struct share_format share_tar_bare = { .format = "pax", .xattrs = true, .sparse = true };

const struct share_format share_initramfs = {
	.format = "newc", .sockets = true, .numbered = true, .init = true,
};

const struct share_format share_cpio = { .format = "newc", .sockets = true, .numbered = true };

struct exporter {
	const struct share_export_opts *opts;
	const char *name;
	struct stream *stream;
	struct archive *archive;
	struct archive_entry *entry;
	struct share_links *links;
	struct strbuf path;		/* as it stands in the archive */
	char *buf;
	const char *zeroes;
	struct share_totals totals;
	unsigned int warnings;
	bool has_init;
};

static void warn(struct exporter *ex, const char *path, const char *what)
{
	if (ex->warnings++ < MAX_WARNINGS)
		progress_warn(ex->opts->progress, "'%s': %s", path, what);
}

static la_ssize_t drain(struct archive *a, void *arg, const void *buf, size_t len)
{
	struct exporter *ex = arg;
	int ret = stream_write(ex->stream, buf, len);

	if (ex->opts->hash)
		hash_add(ex->opts->hash, buf, len);
	if (ret == 0)
		return (la_ssize_t)len;
	archive_set_error(a, -ret, "%s", strerror(-ret));
	return -1;
}

static int archive_failed(struct exporter *ex, const char *path, struct error *e)
{
	const char *text = archive_error_string(ex->archive);
	int errnum = archive_errno(ex->archive);

	if (errnum <= 0 || errnum == 84)
		errnum = EINVAL;
	return err_set(e, errnum, "cannot write '%s' to '%s': %s", path, ex->name,
		       text ? text : strerror(errnum));
}

static void set_xattrs(struct exporter *ex, const struct share_entry *ent)
{
	const struct share_attr *a = &ent->attr;

	if (!ex->opts->format->xattrs) {
		if (a->nxattrs)
			warn(ex, ent->path, "the format has no room for its extended attributes");
		return;
	}
	for (size_t i = 0; i < a->nxattrs; i++)
		archive_entry_xattr_add_entry(ex->entry, a->xattrs[i].name, a->xattrs[i].value,
					      a->xattrs[i].len);
}

static void set_mtime(struct exporter *ex, const struct share_attr *a)
{
	int64_t epoch = ex->opts->epoch;

	if (epoch >= 0 && a->mtime.tv_sec >= epoch)
		archive_entry_set_mtime(ex->entry, epoch, 0);
	else
		archive_entry_set_mtime(ex->entry, a->mtime.tv_sec, a->mtime.tv_nsec);
}

/* The pieces of a file with holes, for the tar header. */
static void set_sparse(struct exporter *ex, const struct share_entry *ent)
{
	off_t size = ent->host.st_size, at = 0;

	if (!ex->opts->sparse || !ex->opts->format->sparse ||
	    (off_t)ent->host.st_blocks * 512 >= size)
		return;
	while (at < size) {
		off_t data = lseek(ent->fd, at, SEEK_DATA);
		off_t end = data < 0 ? -1 : lseek(ent->fd, data, SEEK_HOLE);

		if (end < 0 || end > size)
			end = size;
		if (data < 0) {
			/* ENXIO: nothing but a hole from here; else no holes are known */
			if (errno == ENXIO)
				archive_entry_sparse_add_entry(ex->entry, size, 0);
			else
				archive_entry_sparse_clear(ex->entry);
			break;
		}
		archive_entry_sparse_add_entry(ex->entry, data, end - data);
		at = end;
	}
	(void)lseek(ent->fd, 0, SEEK_SET);
}

static int put(struct exporter *ex, const struct share_entry *ent, const void *buf, size_t len,
	       struct error *e)
{
	if (archive_write_data(ex->archive, buf, len) < 0)
		return archive_failed(ex, ent->path, e);
	return 0;
}

/* A hole of @len bytes; the archive wants to see them, but not what is in them. */
static int put_zeroes(struct exporter *ex, const struct share_entry *ent, off_t len,
		      struct error *e)
{
	while (len > 0) {
		size_t n = len < (off_t)ZEROES ? (size_t)len : ZEROES;
		int ret = interrupted() ? err_set(e, EINTR, "interrupted") :
			  put(ex, ent, ex->zeroes, n, e);

		if (ret < 0)
			return ret;
		len -= (off_t)n;
	}
	return 0;
}

/* [at, end) of the file, which must be there. */
static int put_range(struct exporter *ex, const struct share_entry *ent, off_t at, off_t end,
		     struct error *e)
{
	while (at < end) {
		size_t want = end - at < (off_t)BUFFER ? (size_t)(end - at) : BUFFER;
		ssize_t n = pread_full(ent->fd, ex->buf, want, at);
		int ret;

		if (n < 0)
			return err_sys(e, (int)-n, "cannot read '%s'", ent->path);
		if ((size_t)n < want)
			return err_set(e, EAGAIN, "'%s' became shorter while it was read",
				       ent->path);
		if (interrupted())
			return err_set(e, EINTR, "interrupted");
		ret = put(ex, ent, ex->buf, want, e);
		if (ret < 0)
			return ret;
		at += n;
	}
	return 0;
}

static int put_contents(struct exporter *ex, const struct share_entry *ent, struct error *e)
{
	off_t size = ent->host.st_size, at = 0;
	la_int64_t data, len;
	int ret = 0;

	ex->totals.bytes += (uint64_t)size;
	if (archive_entry_sparse_reset(ex->entry) == 0)
		return put_range(ex, ent, 0, size, e);
	while (ret == 0 && archive_entry_sparse_next(ex->entry, &data, &len) == ARCHIVE_OK) {
		ret = put_zeroes(ex, ent, data - at, e);
		if (ret == 0)
			ret = put_range(ex, ent, data, data + len, e);
		at = data + len;
	}
	return ret < 0 ? ret : put_zeroes(ex, ent, size - at, e);
}

static void set_path(struct exporter *ex, struct strbuf *out, const char *path)
{
	sb_reset(out);
	if (ex->opts->format->dot)
		sb_adds(out, *path ? "./" : ".");
	else if (!*path)
		sb_adds(out, ".");
	sb_adds(out, path);
}

/* Has this inode been written already?  Then it becomes a link to its first name. */
static bool set_link(struct exporter *ex, const struct share_entry *ent)
{
	const char *first;

	if (ent->host.st_nlink < 2 || S_ISDIR(ent->host.st_mode))
		return false;
	first = share_links_first(ex->links, ent->host.st_dev, ent->host.st_ino, ent->path);
	if (ex->opts->format->numbered) {
		/* by inode number, which shall not depend on the disk */
		archive_entry_set_ino64(ex->entry, (la_int64_t)share_links_number(ex->links));
		archive_entry_set_nlink(ex->entry, (unsigned int)ent->host.st_nlink);
	}
	if (!first)
		return false;
	if (!ex->opts->format->numbered) {
		cleanup_strbuf struct strbuf target = STRBUF_INIT;

		set_path(ex, &target, first);
		archive_entry_copy_hardlink(ex->entry, sb_str(&target));
	}
	return true;
}

static void set_attr(struct exporter *ex, const struct share_entry *ent)
{
	const struct share_attr *a = &ent->attr;

	set_path(ex, &ex->path, ent->path);
	/* libarchive adds the slash of a directory itself */
	archive_entry_copy_pathname(ex->entry, sb_str(&ex->path));
	archive_entry_set_mode(ex->entry, (mode_t)a->mode);
	archive_entry_set_uid(ex->entry, a->uid);
	archive_entry_set_gid(ex->entry, a->gid);
	set_mtime(ex, a);
	if (S_ISCHR(a->mode) || S_ISBLK(a->mode)) {
		archive_entry_set_rdevmajor(ex->entry, a->major);
		archive_entry_set_rdevminor(ex->entry, a->minor);
	}
	if (S_ISLNK(a->mode))
		archive_entry_copy_symlink(ex->entry, ent->target);
	set_xattrs(ex, ent);
}

static int export_entry(const struct share_entry *ent, void *arg, struct error *e)
{
	struct exporter *ex = arg;
	bool is_file = S_ISREG(ent->attr.mode);
	int ret;

	if (interrupted())
		return err_set(e, EINTR, "interrupted");
	if (S_ISSOCK(ent->attr.mode) && !ex->opts->format->sockets) {
		warn(ex, ent->path, "a socket, which the format has no entry for, was left out");
		return 0;
	}
	archive_entry_clear(ex->entry);
	set_attr(ex, ent);
	archive_entry_set_size(ex->entry, is_file ? ent->host.st_size : 0);

	bool again = set_link(ex, ent);

	if (again)
		archive_entry_set_size(ex->entry, 0);
	else if (is_file)
		set_sparse(ex, ent);
	ret = archive_write_header(ex->archive, ex->entry);
	if (ret != ARCHIVE_OK && ret != ARCHIVE_WARN)
		return archive_failed(ex, ent->path, e);
	ex->totals.entries++;
	ex->has_init |= str_eq(ent->path, "init");
	if (ex->totals.entries % 64 == 0)
		progress_step(ex->opts->progress, ex->totals.bytes, 0, ent->path);
	if (!is_file || again || !ent->host.st_size)
		return 0;
	return put_contents(ex, ent, e);
}

/* What a kernel starts of an initramfs. */
static int put_init(struct exporter *ex, struct error *e)
{
	const struct share_attr link = { .mode = S_IFLNK | 0777,
					 .mtime.tv_sec = ex->opts->epoch > 0 ? ex->opts->epoch : 0 };
	const struct share_entry ent = { .path = "init", .attr = link, .target = "sbin/init" };

	archive_entry_clear(ex->entry);
	set_attr(ex, &ent);
	archive_entry_set_size(ex->entry, 0);
	archive_entry_set_nlink(ex->entry, 1);
	return archive_write_header(ex->archive, ex->entry) < ARCHIVE_WARN ?
	       archive_failed(ex, ent.path, e) : 0;
}

static int export_all(struct exporter *ex, int rootfd, struct error *e)
{
	struct archive *a = archive_write_new();
	int ret;

	ex->archive = a;
	archive_write_set_format_by_name(a, ex->opts->format->format);
	/* one form of an xattr is enough; what GNU tar reads is this one */
	if (ex->opts->format->xattrs)
		archive_write_set_format_option(a, "pax", "xattrheader", "SCHILY");
	archive_write_set_bytes_per_block(a, 0);
	if (archive_write_open2(a, ex, NULL, drain, NULL, NULL) != ARCHIVE_OK)
		ret = archive_failed(ex, ".", e);
	else
		ret = share_walk(rootfd, 0, export_entry, ex, e);
	if (ret == 0 && ex->opts->format->init && !ex->has_init)
		ret = put_init(ex, e);
	if (ret == 0 && archive_write_close(a) != ARCHIVE_OK)
		ret = archive_failed(ex, ".", e);
	if (ret < 0)
		archive_write_fail(a);
	archive_write_free(a);
	return ret;
}

int share_export(struct share *s, int fd, const char *name,
		 const struct share_export_opts *opts, struct share_totals *totals,
		 struct error *e)
{
	struct exporter ex = { .opts = opts, .name = name };
	struct error stream_error = ERROR_INIT;
	int ret = stream_writer(&ex.stream, fd, name, opts, e);

	if (ret < 0)
		return ret;

	/* names in pax headers are UTF-8, and libarchive converts them from the locale */
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	locale_t old = uselocale(utf8 ? utf8 : (locale_t)0);
	void *zeroes = mmap(NULL, ZEROES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			    -1, 0);

	ex.zeroes = zeroes;
	ex.buf = xmalloc(BUFFER);
	ex.links = share_links_new();
	ex.entry = archive_entry_new();
	progress_stage(opts->progress, "exporting", 0);
	ret = zeroes == MAP_FAILED ? err_sys(e, errno, "cannot map memory") :
	      export_all(&ex, s->fd, e);
	progress_end(opts->progress);
	/* a full disk is seen over there first */
	if (stream_end(&ex.stream, ret, &stream_error) < 0)
		ret = err_move(e, &stream_error);
	if (ex.warnings > MAX_WARNINGS)
		progress_warn(opts->progress, "and %u more like these",
			      ex.warnings - MAX_WARNINGS);
	archive_entry_free(ex.entry);
	share_links_free(&ex.links);
	free(ex.buf);
	sb_release(&ex.path);
	if (zeroes != MAP_FAILED)
		munmap(zeroes, ZEROES);
	uselocale(old);
	if (utf8)
		freelocale(utf8);
	if (totals)
		*totals = ex.totals;
	return ret;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A .deb is an ar file of debian-binary, control.tar.* and data.tar.*: one libarchive
 * reader for the ar file, a second one for the tar file in it that reads from the first.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "rootfs/deb/private.h"

#define BUF_SIZE	((size_t)128 << 10)

void deb_load(void)
{
	archive_read_free(archive_read_new());
}

static int bad(const struct deb *d, struct archive *a, const char *what, struct error *e)
{
	const char *why = a ? archive_error_string(a) : NULL;

	return err_set(e, EBADMSG, "bad package '%s': %s%s%s", d->label, what,
		       why ? ": " : "", why ? why : "");
}

static la_ssize_t read_member(struct archive *inner, void *arg, const void **buf)
{
	struct deb *d = arg;
	la_ssize_t len = archive_read_data(d->outer, d->buf, BUF_SIZE);

	if (len < 0)
		archive_set_error(inner, EIO, "%s", archive_error_string(d->outer));
	*buf = d->buf;
	return len < 0 ? -1 : len;
}

/* The next member of the ar file must be @name followed by nothing or ".FILTER". */
static int next_member(struct deb *d, const char *name, struct error *e)
{
	for (;;) {
		struct archive_entry *entry;
		int ret = archive_read_next_header(d->outer, &entry);
		const char *found;

		if (ret == ARCHIVE_EOF)
			return err_set(e, EBADMSG, "bad package '%s': it has no %s", d->label, name);
		if (ret != ARCHIVE_OK && ret != ARCHIVE_WARN)
			return bad(d, d->outer, "no ar file", e);
		found = archive_entry_pathname(entry);
		if (!found)
			return bad(d, NULL, "a member without a name", e);

		size_t len = strlen(name);

		if (strncmp(found, name, len) == 0 && (!found[len] || found[len] == '.'))
			return 0;
		/* as dpkg-deb: members whose name begins with an underscore are skipped */
		if (found[0] != '_')
			return err_set(e, EBADMSG, "bad package '%s': '%s' where %s should be",
				       d->label, found, name);
	}
}

static int open_inner(struct deb *d, const char *name, struct error *e)
{
	int ret = next_member(d, name, e);

	if (ret < 0)
		return ret;
	if (d->inner)
		archive_read_free(d->inner);
	d->inner = archive_read_new();
	if (!d->inner)
		return err_set(e, ENOMEM, "cannot read '%s'", d->label);
	archive_read_support_filter_gzip(d->inner);
	archive_read_support_filter_xz(d->inner);
	archive_read_support_filter_zstd(d->inner);
	archive_read_support_filter_bzip2(d->inner);
	archive_read_support_filter_lzma(d->inner);
	archive_read_support_format_tar(d->inner);
	/* a tar file of nothing but its end */
	archive_read_support_format_empty(d->inner);
	if (archive_read_open(d->inner, d, NULL, read_member, NULL) != ARCHIVE_OK)
		return bad(d, d->inner, name, e);
	return 0;
}

int deb_next(struct deb *d, struct deb_entry *entry, struct error *e)
{
	struct archive_entry *ae;
	int ret;

	if (d->reader)
		return deb_reader_next(d->reader, entry, e);
	ret = archive_read_next_header(d->inner, &ae);

	if (ret == ARCHIVE_EOF)
		return 0;
	/* a warning is about a name that the locale cannot show; its bytes are there */
	if (ret != ARCHIVE_OK && ret != ARCHIVE_WARN)
		return bad(d, d->inner, "its tar file cannot be read", e);
	*entry = (struct deb_entry){
		.path = archive_entry_pathname(ae),
		.hardlink = archive_entry_hardlink(ae), .symlink = archive_entry_symlink(ae),
		.user = archive_entry_uname(ae), .group = archive_entry_gname(ae),
		.mode = archive_entry_mode(ae) & (S_IFMT | 07777),
		.uid = (uint32_t)archive_entry_uid(ae), .gid = (uint32_t)archive_entry_gid(ae),
		.major = (uint32_t)archive_entry_rdevmajor(ae),
		.minor = (uint32_t)archive_entry_rdevminor(ae),
		.mtime = { archive_entry_mtime(ae), archive_entry_mtime_nsec(ae) },
	};
	if (!entry->path)
		return bad(d, NULL, "an entry without a name", e);
	return 1;
}

ssize_t deb_read(struct deb *d, void *buf, size_t len, struct error *e)
{
	la_ssize_t got = archive_read_data(d->inner, buf, len);

	return got < 0 ? bad(d, d->inner, "its tar file cannot be read", e) : (ssize_t)got;
}

ssize_t deb_piece(struct deb *d, const char **piece, struct error *e)
{
	if (d->reader)
		return deb_reader_piece(d->reader, piece, e);
	if (!d->piece)
		d->piece = xmalloc(BUF_SIZE);
	*piece = d->piece;
	return deb_read(d, d->piece, BUF_SIZE, e);
}

struct deb_member *deb_add_member(struct deb *d, const char *name, uint32_t mode,
				  struct timespec mtime)
{
	struct deb_member *m;

	if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	    d->n == DEB_MEMBERS_MAX)
		return NULL;
	if (d->n == d->cap) {
		d->cap = d->cap ? d->cap * 2 : 16;
		d->members = xreallocarray(d->members, d->cap, sizeof(*d->members));
	}
	m = &d->members[d->n++];
	*m = (struct deb_member){ .name = xstrdup(name), .mode = mode, .mtime = mtime,
				  .data = STRBUF_INIT };
	return m;
}

static int read_control(struct deb *d, struct error *e)
{
	size_t total = 0;

	for (;;) {
		struct deb_entry entry = { 0 };
		int ret = deb_next(d, &entry, e);

		if (ret <= 0)
			return ret;

		/* there is one, which the analyzer does not know */
		const char *name = entry.path ? entry.path : "";
		mode_t type = entry.mode & S_IFMT;

		while (name[0] == '.' && name[1] == '/')
			name += 2;
		if (type == S_IFDIR && (!*name || strcmp(name, ".") == 0))
			continue;
		if (d->n == DEB_MEMBERS_MAX)
			return err_set(e, EFBIG, "bad package '%s': too many control files",
				       d->label);

		struct deb_member *m = type == S_IFREG ?
			deb_add_member(d, name, entry.mode & 07777, entry.mtime) : NULL;

		if (!m)
			return bad(d, NULL, "its control archive has more than plain files", e);
		for (;;) {
			size_t room = 16384;
			ssize_t got = deb_read(d, sb_reserve(&m->data, room), room, e);

			if (got < 0)
				return (int)got;
			if (got == 0)
				break;
			m->data.len += (size_t)got;
			m->data.s[m->data.len] = '\0';
			total += (size_t)got;
			if (total > DEB_CONTROL_MAX)
				return err_set(e, EFBIG, "bad package '%s': too much control data",
					       d->label);
		}
	}
}

int deb_open(struct deb *d, int fd, const char *label, struct error *e)
{
	int ret;

	*d = (struct deb){ .label = xstrdup(label), .buf = xmalloc(BUF_SIZE) };
	d->outer = archive_read_new();
	if (!d->outer)
		return err_set(e, ENOMEM, "cannot read '%s'", label);
	archive_read_support_format_ar(d->outer);
	if (archive_read_open_fd(d->outer, fd, BUF_SIZE) != ARCHIVE_OK)
		return bad(d, d->outer, "no ar file", e);
	ret = next_member(d, "debian-binary", e);
	if (ret < 0)
		return ret;

	char version[16] = "";

	if (archive_read_data(d->outer, version, sizeof(version) - 1) < 0 ||
	    strncmp(version, "2.", 2) != 0)
		return bad(d, NULL, "not a package of format 2", e);
	ret = open_inner(d, "control.tar", e);
	if (ret == 0)
		ret = read_control(d, e);
	if (ret == 0 && !deb_member(d, "control"))
		ret = bad(d, NULL, "it has no control file", e);
	return ret;
}

int deb_data(struct deb *d, struct error *e)
{
	return d->reader ? deb_reader_data(d->reader, e) : open_inner(d, "data.tar", e);
}

const struct deb_member *deb_member(const struct deb *d, const char *name)
{
	for (size_t i = 0; i < d->n; i++)
		if (strcmp(d->members[i].name, name) == 0)
			return &d->members[i];
	return NULL;
}

void deb_close(struct deb *d)
{
	if (d->reader)
		deb_reader_close(d->reader);
	if (d->inner)
		archive_read_free(d->inner);
	if (d->outer)
		archive_read_free(d->outer);
	for (size_t i = 0; i < d->n; i++) {
		free(d->members[i].name);
		sb_release(&d->members[i].data);
	}
	free(d->members);
	deb_facts_free(&d->facts);
	free(d->buf);
	free(d->piece);
	free(d->label);
	*d = (struct deb)DEB_INIT;
}

int deb_path(const char *name, struct strbuf *out)
{
	sb_reset(out);
	while (*name) {
		size_t len = strcspn(name, "/");

		if (len == 2 && name[0] == '.' && name[1] == '.')
			return -EBADMSG;
		if (memchr(name, '\n', len))
			return -EBADMSG;
		if (len && !(len == 1 && name[0] == '.')) {
			sb_addc(out, '/');
			sb_add(out, name, len);
		}
		name += len;
		name += *name == '/';
	}
	if (!out->len)
		sb_adds(out, "/.");
	return 0;
}

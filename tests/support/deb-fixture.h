/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For tests: packages that are made here, in memory, by libarchive. */
#ifndef TESTS_SUPPORT_DEB_FIXTURE_H
#define TESTS_SUPPORT_DEB_FIXTURE_H

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/support/unit.h"
#include "umlcage/base/fd.h"

struct item {
	const char *path;
	mode_t mode;		/* with its type */
	const char *data;	/* contents, target of a link */
	int uid, gid;
	const char *user, *group;
	const char *hard;
	unsigned int major, minor;
};

static void add_entry(struct archive *a, const struct item *i)
{
	struct archive_entry *entry = archive_entry_new();
	bool file = S_ISREG(i->mode) && !i->hard;

	archive_entry_set_pathname(entry, i->path);
	archive_entry_set_mode(entry, i->mode);
	archive_entry_set_uid(entry, i->uid);
	archive_entry_set_gid(entry, i->gid);
	archive_entry_set_uname(entry, i->user);
	archive_entry_set_gname(entry, i->group);
	archive_entry_set_mtime(entry, 1700000000, 0);
	archive_entry_set_size(entry, file && i->data ? (la_int64_t)strlen(i->data) : 0);
	if (i->hard)
		archive_entry_set_hardlink(entry, i->hard);
	if (S_ISLNK(i->mode))
		archive_entry_set_symlink(entry, i->data);
	archive_entry_set_rdevmajor(entry, i->major);
	archive_entry_set_rdevminor(entry, i->minor);
	ck_assert_int_eq(archive_write_header(a, entry), ARCHIVE_OK);
	if (file && i->data)
		archive_write_data(a, i->data, strlen(i->data));
	archive_entry_free(entry);
}

/* A tar file, gzipped; malloc'ed. */
static char *tar_of(const struct item *items, size_t *len)
{
	struct archive *a = archive_write_new();
	const size_t room = 8 << 20;
	char *buf = xmalloc(room);

	archive_write_set_format_gnutar(a);
	archive_write_add_filter_gzip(a);
	ck_assert_int_eq(archive_write_open_memory(a, buf, room, len), ARCHIVE_OK);
	for (; items->path; items++)
		add_entry(a, items);
	ck_assert_int_eq(archive_write_close(a), ARCHIVE_OK);
	archive_write_free(a);
	return buf;
}

static void ar_member(struct strbuf *ar, const char *name, const char *data, size_t len)
{
	sb_addf(ar, "%-16s%-12d%-6d%-6d%-8s%-10zu`\n", name, 1700000000, 0, 0, "100644", len);
	sb_add(ar, data, len);
	if (len & 1)
		sb_addc(ar, '\n');
}

/* A package, as a file in memory. */
static int deb_of(const char *name, const char *fields, const struct item *control,
		  const struct item *data)
{
	static const struct item end = { .path = NULL };
	cleanup_strbuf struct strbuf ar = STRBUF_INIT, text = STRBUF_INIT;
	struct error e = ERROR_INIT;
	struct item members[10] = { { .path = "./control", .mode = S_IFREG | 0644 } };
	size_t n = 1, clen, dlen;
	int fd;

	sb_addf(&text, "Package: %s\nVersion: 1.0\nArchitecture: amd64\n%sDescription: a test\n",
		name, fields);
	members[0].data = text.s;
	for (; control && control->path; control++)
		members[n++] = *control;
	members[n] = end;

	cleanup_free char *c = tar_of(members, &clen), *d = tar_of(data, &dlen);

	sb_adds(&ar, "!<arch>\n");
	ar_member(&ar, "debian-binary", "2.0\n", 4);
	ar_member(&ar, "control.tar.gz", c, clen);
	ar_member(&ar, "data.tar.gz", d, dlen);
	fd = memfd_with(name, ar.s, ar.len, &e);
	ck_assert_int_ge(fd, 0);
	return fd;
}

#define DIR(p) { .path = (p), .mode = S_IFDIR | 0755 }
#define FILE_(p, d) { .path = (p), .mode = S_IFREG | 0644, .data = (d) }
#define LINK(p, t) { .path = (p), .mode = S_IFLNK | 0777, .data = (t) }
#define END { .path = NULL }

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests that unpack: packages that are made here, in memory, by libarchive, a share to
 * unpack them into, and a stage.  For one program each, hence all static.
 */
#ifndef TESTS_SUPPORT_UNPACK_FIXTURE_H
#define TESTS_SUPPORT_UNPACK_FIXTURE_H

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostfs-bridge/share/share.h"
#include "rootfs/unpack/unpack.h"
#include "tests/support/unit.h"
#include "umlcage/base/fd.h"

#define MAX 8

static char top[UNIT_PATH];
static struct share share, stage = SHARE_INIT;
static struct share_tree *tree;
static struct unpack *u;
static struct error err = ERROR_INIT;
static int debs[MAX];
static size_t ndebs;

/* ---- making packages ---- */

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
	char *buf = xmalloc(1 << 20);

	archive_write_set_format_gnutar(a);
	archive_write_add_filter_gzip(a);
	ck_assert_int_eq(archive_write_open_memory(a, buf, 1 << 20, len), ARCHIVE_OK);
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

/* The next package, as a file in memory. */
static void deb(const char *name, const char *fields, const struct item *control,
		const struct item *data)
{
	static const struct item end = { .path = NULL };
	cleanup_strbuf struct strbuf ar = STRBUF_INIT, text = STRBUF_INIT;
	struct item members[MAX + 2] = { { .path = "./control", .mode = S_IFREG | 0644 } };
	size_t n = 1, clen, dlen;

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
	debs[ndebs] = memfd_with(name, ar.s, ar.len, &err);
	ck_assert_int_ge(debs[ndebs], 0);
	ndebs++;
}

#define DIR(p) { .path = (p), .mode = S_IFDIR | 0755 }
#define FILE_(p, d) { .path = (p), .mode = S_IFREG | 0644, .data = (d) }
#define LINK(p, t) { .path = (p), .mode = S_IFLNK | 0777, .data = (t) }
#define END { .path = NULL }

/* ---- unpacking them ---- */

static int reopen(void *arg, size_t index, struct error *e)
{
	(void)arg;
	if (lseek(debs[index], 0, SEEK_SET) < 0)
		return err_sys(e, errno, "seek");
	return fcntl(debs[index], F_DUPFD_CLOEXEC, 3);
}

static struct unpack_config config(size_t nbase)
{
	return (struct unpack_config){ .rootfd = share.fd, .n = ndebs, .nbase = nbase,
				       .reopen = reopen };
}

/* Unpacks all, the last first if @backwards. */
static int unpack_all(const struct unpack_config *cfg, bool backwards)
{
	u = unpack_new(cfg);
	for (size_t i = 0; i < ndebs; i++) {
		size_t index = backwards ? ndebs - 1 - i : i;
		cleanup_close int fd = reopen(NULL, index, &err);
		int ret = unpack_package(u, index, fd, "test", &err);

		if (ret < 0)
			return ret;
	}
	return unpack_finish(u, &err);
}

static const char *text_of(const char *path)
{
	static struct strbuf text = STRBUF_INIT;

	sb_reset(&text);
	ck_ok(file_read(share.fd, path, 1 << 20, &text, &err), &err);
	return sb_str(&text);
}

static struct share_attr look(const char *path)
{
	struct share_attr a;

	ck_ok(share_stat(tree, path, &a, &err), &err);
	return a;
}

static void setup(void)
{
	cleanup_free char *path = NULL;
	unit_dir(top, "unpack-test");
	path = path_join(top, "s");
	ck_ok(share_create(&share, path, &err), &err);
	tree = share_tree_new(share.fd, 0);
	ndebs = 0;
}

static void teardown(void)
{
	unpack_free(u);
	u = NULL;
	share_tree_free(&tree);
	share_close(&share);
	share_close(&stage);
	for (size_t i = 0; i < ndebs; i++)
		close(debs[i]);
	remove_tree(AT_FDCWD, top, NULL);
	err_release(&err);
}

#endif

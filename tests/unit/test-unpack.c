// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unpacking packages into a share: what one package leaves, what several that meet leave
 * in whatever order they come, dpkg's database, filters, and which preinst scripts are
 * known to do nothing.  Packages are made here, in memory, by libarchive.
 */
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

static void put(const char *path, const char *text)
{
	struct share_tree *t = share_tree_new(share.fd, SHARE_PARENTS | SHARE_REPLACE);
	struct share_attr a = { .mode = S_IFREG | 0644, .mtime = { 0, UTIME_OMIT } };

	ck_ok(share_file(t, path, &a, text, strlen(text), &err), &err);
	share_tree_free(&t);
}

static void make(const char *dir, mode_t mode, uint32_t gid)
{
	struct share_attr a = { .mode = mode, .gid = gid, .mtime = { 0, UTIME_OMIT } };

	ck_ok(share_mkdir(tree, dir, &a, &err), &err);
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

START_TEST(one_package_as_dpkg_leaves_it)
{
	const struct item control[] = {
		FILE_("./conffiles", "/etc/one.conf\n"),
		FILE_("./triggers", "interest-noawait /usr/share/one\ninterest one-done\nactivate x\n"),
		{ .path = "./postinst", .mode = S_IFREG | 0755, .data = "#!/bin/sh\n" },
		END };
	const struct item data[] = {
		DIR("./"), DIR("./etc/"), FILE_("./etc/one.conf", "a=1\n"), DIR("./usr/"),
		{ .path = "./usr/su", .mode = S_IFREG | 04755, .data = "x", .gid = 42 },
		{ .path = "./usr/again", .mode = S_IFREG | 04755, .hard = "./usr/su" },
		{ .path = "./usr/mem", .mode = S_IFCHR | 0640, .gid = 15, .major = 1, .minor = 1 },
		{ .path = "./usr/q", .mode = S_IFIFO | 0600, .uid = 7 },
		{ .path = "./usr/mine", .mode = S_IFDIR | 02775, .uid = 5, .gid = 50 },
		LINK("./usr/link", "../etc/one.conf"), END };

	deb("one", "Multi-Arch: same\nHomepage: here\nEssential: yes\nPriority: required\n",
	    control, data);

	struct unpack_config cfg = config(1);

	ck_ok(unpack_all(&cfg, false), &err);
	ck_assert(!unpack_was_repeated(u));
	ck_assert_str_eq(text_of("var/lib/dpkg/status"),
			 "Package: one\nEssential: yes\nStatus: install ok unpacked\n"
			 "Priority: required\nArchitecture: amd64\nMulti-Arch: same\nVersion: 1.0\n"
			 "Conffiles:\n /etc/one.conf d5e29449b9e66d5b4bb0d6ce48fbbcb1\n"
			 "Description: a test\nHomepage: here\n\n");
	ck_assert_str_eq(text_of("var/lib/dpkg/info/one:amd64.list"),
			 "/.\n/etc\n/etc/one.conf\n/usr\n/usr/su\n/usr/again\n/usr/mem\n/usr/q\n"
			 "/usr/mine\n/usr/link\n");
	/* the package brings no md5sums, so they are made; a hard link has its file's */
	ck_assert_str_eq(text_of("var/lib/dpkg/info/one:amd64.md5sums"),
			 "d5e29449b9e66d5b4bb0d6ce48fbbcb1  etc/one.conf\n"
			 "9dd4e461268c8034f5c8564e155c67a6  usr/su\n"
			 "9dd4e461268c8034f5c8564e155c67a6  usr/again\n");
	ck_assert_str_eq(text_of("var/lib/dpkg/triggers/File"), "/usr/share/one one:amd64/noawait\n");
	ck_assert_str_eq(text_of("var/lib/dpkg/triggers/one-done"), "one:amd64\n");
	ck_assert_uint_eq(look("var/lib/dpkg/info/one:amd64.postinst").mode, S_IFREG | 0755);
	ck_assert_uint_eq(look("usr/su").mode, S_IFREG | 04755);
	ck_assert_uint_eq(look("usr/again").gid, 42);
	ck_assert_uint_eq(look("usr/mem").mode, S_IFCHR | 0640);
	ck_assert_uint_eq(look("usr/q").mode, S_IFIFO | 0600);
	ck_assert_uint_eq(look("usr/mine").mode, S_IFDIR | 02775);
	ck_assert_uint_eq(look("usr/mine").uid, 5);
	ck_assert_int_eq(look("usr/su").mtime.tv_sec, 1700000000);
}
END_TEST

/* Loop variable: the packages come in order, or the last first. */
START_TEST(directories_of_two_stages)
{
	struct item first[] = { DIR("./"), DIR("./d/"), DIR("./e/"), END };
	struct item second[] = { DIR("./"), DIR("./d/"), DIR("./e/"), END };
	struct item late[] = { DIR("./"), DIR("./d/"), DIR("./f/"), DIR("./g/"), END };
	struct item later[] = { DIR("./"), DIR("./f/"), END };
	struct strv dirs = STRV_INIT;

	second[1].mode = S_IFDIR | 0711;
	late[1].mode = S_IFDIR | 0700;
	late[2].mode = S_IFDIR | 0750;
	late[3].mode = S_IFDIR | 0700;
	later[1].mode = S_IFDIR | 0700;
	deb("a", "", NULL, first);
	deb("b", "", NULL, second);
	deb("c", "", NULL, late);
	deb("d", "", NULL, later);
	strv_add(&dirs, "g");

	struct unpack_config cfg = config(2);

	cfg.dirs = &dirs;
	ck_ok(share_mkdir(tree, "g", &(struct share_attr){ .mode = S_IFDIR | 0755 }, &err), &err);
	ck_ok(unpack_all(&cfg, _i), &err);
	ck_assert_uint_eq(look("d").mode & 07777, 0711);	/* tar: the last of the stage */
	ck_assert_uint_eq(look("f").mode & 07777, 0750);	/* dpkg: the first */
	ck_assert_uint_eq(look("g").mode & 07777, 0755);	/* dpkg: what was there */
	strv_release(&dirs);
}
END_TEST

START_TEST(a_file_that_moved_to_another_package)
{
	const struct item both[] = { DIR("./"), FILE_("./f", "old"), FILE_("./g", "old"), END };
	const struct item one[] = { DIR("./"), FILE_("./f", "new"), END };

	deb("old", "", NULL, both);
	deb("new", "Replaces: other, old (<< 2)\n", NULL, one);

	struct unpack_config cfg = config(1);

	ck_ok(unpack_all(&cfg, _i), &err);
	ck_assert(unpack_was_repeated(u));
	ck_assert_str_eq(text_of("f"), "new");
	ck_assert_str_eq(text_of("g"), "old");
	ck_assert_str_eq(text_of("var/lib/dpkg/info/old.list"), "/.\n/g\n");
	ck_assert_str_eq(text_of("var/lib/dpkg/info/new.list"), "/.\n/f\n");
}
END_TEST

START_TEST(a_file_that_moved_and_comes_first)
{
	const struct item one[] = { DIR("./"), FILE_("./f", "new"), END };
	const struct item two[] = { DIR("./"), FILE_("./f", "old"), END };

	deb("new", "Replaces: old\n", NULL, one);
	deb("old", "", NULL, two);

	struct unpack_config cfg = config(2);

	ck_ok(unpack_all(&cfg, _i), &err);
	ck_assert_str_eq(text_of("f"), "new");
	ck_assert_str_eq(text_of("var/lib/dpkg/info/old.list"), "/.\n");
}
END_TEST

START_TEST(a_file_of_two_packages)
{
	const struct item data[] = { DIR("./"), FILE_("./f", "x"), END };

	deb("one", "Replaces: two (>> 1.0)\n", NULL, data);
	deb("two", "", NULL, data);

	struct unpack_config cfg = config(1);

	ck_fails(unpack_all(&cfg, _i), EEXIST, "trying to overwrite '/f', which is also in package one",
		 &err);
}
END_TEST

START_TEST(a_link_where_others_have_a_directory)
{
	const struct item link[] = { DIR("./"), DIR("./new/"), LINK("./old", "new"), END };
	const struct item dir[] = { DIR("./"), DIR("./old/"), FILE_("./old/f", "x"), END };

	deb("link", "", NULL, link);
	deb("dir", "", NULL, dir);

	struct unpack_config cfg = config(0);

	ck_ok(unpack_all(&cfg, _i), &err);
	ck_assert_uint_eq(look("old").mode & S_IFMT, S_IFLNK);
	ck_assert_str_eq(text_of("new/f"), "x");
}
END_TEST

START_TEST(a_directory_where_another_has_a_link)
{
	const struct item link[] = { DIR("./"), DIR("./new/"), LINK("./old", "new"), END };
	const struct item dir[] = { DIR("./"), DIR("./old/"), FILE_("./old/f", "x"), END };

	deb("dir", "", NULL, dir);
	deb("link", "", NULL, link);

	struct unpack_config cfg = config(0);

	ck_ok(unpack_all(&cfg, _i), &err);
	ck_assert_uint_eq(look("old").mode & S_IFMT, S_IFDIR);
	ck_assert_str_eq(text_of("old/f"), "x");
}
END_TEST

START_TEST(a_merged_usr)
{
	const struct item data[] = { DIR("./"), DIR("./bin/"), FILE_("./bin/zip", "z"),
				     { .path = "./bin/unzip", .mode = S_IFREG | 0644,
				       .hard = "./bin/zip" }, END };
	struct strv links = STRV_INIT;
	struct stat a, b;

	deb("one", "", NULL, data);
	strv_add(&links, "bin");
	ck_ok(share_mkdir(tree, "usr", &(struct share_attr){ .mode = S_IFDIR | 0755 }, &err), &err);
	ck_ok(share_mkdir(tree, "usr/bin", &(struct share_attr){ .mode = S_IFDIR | 0755 }, &err),
	      &err);
	ck_ok(share_symlink(tree, "bin", "usr/bin", &(struct share_attr){ .mode = S_IFLNK }, &err),
	      &err);

	struct unpack_config cfg = config(1);

	cfg.links = &links;
	cfg.usrmerge = _i;
	ck_ok(unpack_all(&cfg, false), &err);
	ck_assert(!unpack_was_repeated(u));
	ck_assert_str_eq(text_of("usr/bin/unzip"), "z");
	ck_assert_str_eq(text_of("var/lib/dpkg/info/one.list"), "/.\n/bin\n/bin/zip\n/bin/unzip\n");
	ck_assert_int_eq(fstatat(share.fd, "usr/bin/zip", &a, 0), 0);
	ck_assert_int_eq(fstatat(share.fd, "usr/bin/unzip", &b, 0), 0);
	/* usrmerge copies, and so breaks links */
	ck_assert_int_eq(a.st_ino != b.st_ino, _i);
	strv_release(&links);
}
END_TEST

START_TEST(path_filters)
{
	const struct item data[] = { DIR("./"), DIR("./doc/"), FILE_("./doc/a", "a"), DIR("./man/"),
				     FILE_("./man/x", "x"), DIR("./man/de/"), FILE_("./man/de/x", "x"),
				     END };
	struct strv filters = STRV_INIT;

	deb("one", "", NULL, data);
	strv_add(&filters, "path-exclude=/doc/*");
	strv_add(&filters, "path-exclude=/man/*");
	strv_add(&filters, "path-include=/man/de/*");

	struct unpack_config cfg = config(1);
	struct share_attr a;

	cfg.filters = &filters;
	ck_ok(unpack_all(&cfg, false), &err);
	ck_assert_int_eq(share_stat(tree, "doc/a", &a, NULL), -ENOENT);
	ck_assert_int_eq(share_stat(tree, "man/x", &a, NULL), -ENOENT);
	ck_assert_str_eq(text_of("man/de/x"), "x");
	/* dpkg lists what it left out */
	ck_assert_ptr_nonnull(strstr(text_of("var/lib/dpkg/info/one.list"), "/doc/a\n"));
	strv_release(&filters);
}
END_TEST

START_TEST(what_dpkg_must_see)
{
	const struct item busy[] = { { .path = "./preinst", .mode = S_IFREG | 0755,
				       .data = "#!/bin/sh\ndpkg-divert --add /f\n" }, END };
	const struct item data[] = { DIR("./"), FILE_("./f", "x"), END };
	const struct item other[] = { DIR("./"), FILE_("./g", "x"), END };
	struct share_attr a;

	deb("base", "", busy, other);
	deb("rest", "", busy, data);

	struct unpack_config cfg = config(1);

	ck_ok(unpack_all(&cfg, false), &err);
	ck_assert(unpack_get(u, 0)->native && unpack_get(u, 0)->preinst);
	ck_assert(!unpack_get(u, 1)->native && unpack_get(u, 1)->preinst);
	ck_assert_int_eq(share_stat(tree, "f", &a, NULL), -ENOENT);
	ck_assert_ptr_null(strstr(text_of("var/lib/dpkg/status"), "rest"));
	ck_assert_ptr_nonnull(strstr(text_of("var/lib/dpkg/tmp.ci.0/preinst"), "divert"));
}
END_TEST

/* ---- the second stage ---- */

/* Unpacks all into a stage; the tree is as the test has made it. */
static void stage_all(void)
{
	cleanup_free char *path = path_join(top, "stage");
	struct unpack_config cfg = config(0);

	ck_ok(share_create(&stage, path, &err), &err);
	cfg.rootfd = stage.fd;
	cfg.staged = true;
	ck_ok(unpack_all(&cfg, false), &err);
	put("var/lib/dpkg/status", "Package: there\n\n");
}

static void merge_all(void)
{
	size_t pkgs[MAX];

	for (size_t i = 0; i < ndebs; i++)
		pkgs[i] = i;
	ck_ok(unpack_merge(u, share.fd, pkgs, ndebs, &err), &err);
}

START_TEST(through_links_that_scripts_made)
{
	const struct item data[] = { DIR("./"), DIR("./var/"), DIR("./var/run/"), DIR("./var/run/x/"),
				     FILE_("./var/run/x/f", "f"), END };

	deb("one", "", NULL, data);
	make("run", S_IFDIR | 0755, 0);
	make("var", S_IFDIR | 0755, 0);
	ck_ok(share_symlink(tree, "var/run", "/run", &(struct share_attr){ .mode = S_IFLNK }, &err),
	      &err);
	stage_all();
	merge_all();
	ck_assert(unpack_get(u, 0)->native);
	ck_assert_str_eq(text_of("run/x/f"), "f");
	ck_assert_uint_eq(look("var/run").mode & S_IFMT, S_IFLNK);
	ck_assert_str_eq(text_of("var/lib/dpkg/info/one.list"),
			 "/.\n/var\n/var/run\n/var/run/x\n/var/run/x/f\n");
	ck_assert_ptr_nonnull(strstr(text_of("var/lib/dpkg/status"), "Package: there\n\nPackage: one\n"));
}
END_TEST

START_TEST(directories_that_scripts_made)
{
	struct item data[] = { DIR("./"), DIR("./mail/"), DIR("./new/"), FILE_("./new/f", "f"), END };
	struct item other[] = { DIR("./"), DIR("./new/"), END };

	data[2].mode = S_IFDIR | 0700;
	deb("one", "", NULL, data);
	deb("two", "", NULL, other);
	make("mail", S_IFDIR | 02775, 8);
	stage_all();
	merge_all();
	ck_assert_uint_eq(look("mail").mode, S_IFDIR | 02775);
	ck_assert_uint_eq(look("mail").gid, 8);
	ck_assert_uint_eq(look("new").mode, S_IFDIR | 0700);
	ck_assert_int_eq(look("new").mtime.tv_sec, 1700000000);
}
END_TEST

/* What is in the way, diverted or overridden, and options that only dpkg has, are dpkg's. */
static const struct { const char *path, *text; bool native; } in_the_way[] = {
	{ "d/f", "made by a script", false },
	{ "d", "a file", false },
	{ "var/lib/dpkg/diversions", "/d/f\n/d/f.real\n:\n", false },
	{ "var/lib/dpkg/diversions", "/x\n/d/f\n:\n", false },
	{ "var/lib/dpkg/diversions", "/x\n/y\n/d/f\n", true },
	{ "var/lib/dpkg/statoverride", "root mail 0755 /d/f\n", false },
	{ "var/lib/dpkg/statoverride", "root mail 0755 /d/g\n", true },
	{ "etc/dpkg/dpkg.cfg", "pre-invoke=\"date\"\n", false },
	{ "etc/dpkg/dpkg.cfg.d/x", "root /x\n", false },
	{ "etc/dpkg/dpkg.cfg.d/x.bak", "root /x\n", true },
	{ "etc/dpkg/dpkg.cfg", "# root=/x\nno-debsig\nlog /var/log/dpkg.log\nforce-confold\n", true },
};

START_TEST(left_to_dpkg)
{
	const struct item data[] = { DIR("./"), DIR("./d/"), FILE_("./d/f", "f"), END };
	struct share_attr a;

	deb("one", "", NULL, data);
	stage_all();
	put(in_the_way[_i].path, in_the_way[_i].text);
	merge_all();
	ck_assert_int_eq(unpack_get(u, 0)->native, in_the_way[_i].native);
	ck_assert_str_eq(text_of(in_the_way[_i].path), in_the_way[_i].text);
	if (in_the_way[_i].native)
		ck_assert_str_eq(text_of("d/f"), "f");
	ck_assert_int_eq(share_stat(tree, "var/lib/dpkg/info/one.list", &a, NULL),
			 in_the_way[_i].native ? 0 : -ENOENT);
}
END_TEST

START_TEST(filters_of_the_tree)
{
	const struct item data[] = { DIR("./"), DIR("./doc/"), FILE_("./doc/a", "a"),
				     FILE_("./doc/b", "b"), END };
	struct share_attr a;

	deb("one", "", NULL, data);
	stage_all();
	put("etc/dpkg/dpkg.cfg.d/1", "  path-exclude /doc/*\n");
	put("etc/dpkg/dpkg.cfg.d/2", "path-include=\"/doc/b\"\n");
	merge_all();
	ck_assert_int_eq(share_stat(tree, "doc/a", &a, NULL), -ENOENT);
	ck_assert_str_eq(text_of("doc/b"), "b");
	ck_assert_str_eq(text_of("var/lib/dpkg/info/one.md5sums"),
			 "92eb5ffee6ae2fec3ad71c777531578f  doc/b\n");
	ck_assert_ptr_nonnull(strstr(text_of("var/lib/dpkg/info/one.list"), "/doc/a\n"));
}
END_TEST

static const struct item owned[] = {
	DIR("./"),
	{ .path = "./d", .mode = S_IFDIR | 0755, .uid = 1, .gid = 2, .user = "alice", .group = "x" },
	{ .path = "./f", .mode = S_IFREG | 04755, .uid = 1, .gid = 2, .user = "bob", .group = "y" },
	{ .path = "./g", .mode = S_IFREG | 0644, .user = "root", .group = "y" }, END };

static void check_owned(void)
{
	ck_assert_uint_eq(look("d").uid, 1001);
	ck_assert_uint_eq(look("d").gid, 2);
	ck_assert_uint_eq(look("f").uid, 1);
	ck_assert_uint_eq(look("f").gid, 77);
	ck_assert_uint_eq(look("f").mode, S_IFREG | 04755);
	ck_assert_uint_eq(look("g").uid, 0);
	ck_assert_uint_eq(look("g").gid, 77);
}

START_TEST(owners_by_name)
{
	deb("one", "", NULL, owned);
	put("etc/passwd", "root:x:0:0::/:/bin/sh\nal:x:5:5::/:\nalice:x:1001:5::/:\nbob:x:bad\n");
	put("etc/group", "root:x:0:\ny:x:77:\n");
	stage_all();
	merge_all();
	check_owned();
}
END_TEST

/* The first stage's come when there is no passwd yet, but base-passwd's master copy. */
START_TEST(owners_by_name_in_the_base)
{
	struct unpack_config cfg;

	deb("one", "", NULL, owned);
	put(_i ? "etc/passwd" : "usr/share/base-passwd/passwd.master", "alice:*:1001:5::/:\n");
	put(_i ? "etc/group" : "usr/share/base-passwd/group.master", "y:*:77:\n");
	cfg = config(1);
	ck_ok(unpack_all(&cfg, false), &err);
	check_owned();
}
END_TEST

START_TEST(triggers_of_what_is_there)
{
	const struct item wants[] = { FILE_("./triggers", "interest /v\ninterest n\n"), END };
	const struct item data[] = { DIR("./"), DIR("./s/"), FILE_("./s/x", "x"), DIR("./tt/"), END };

	deb("rest", "", wants, data);
	stage_all();
	put("var/lib/dpkg/triggers/File", "/s base\n/t base/noawait\n/s other\n");
	put("var/lib/dpkg/triggers/n", "base\n");
	merge_all();
	ck_assert_str_eq(text_of("var/lib/dpkg/triggers/Unincorp"), "/s -\n");
	ck_assert_str_eq(text_of("var/lib/dpkg/triggers/File"),
			 "/s base\n/t base/noawait\n/s other\n/v rest\n");
	ck_assert_str_eq(text_of("var/lib/dpkg/triggers/n"), "base\nrest\n");
}
END_TEST

START_TEST(no_package)
{
	static const char *const texts[] = {
		"", "!<arch>\n", ("no ar file at all, but long enough to be looked at by every "
				  "reader of archives there is in the world of today"),
	};
	struct unpack_config cfg = config(1);

	cfg.n = 1;
	u = unpack_new(&cfg);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		cleanup_close int fd = memfd_with("x", texts[i], strlen(texts[i]), &err);

		ck_fails(unpack_package(u, 0, fd, "broken.deb", &err), EBADMSG, "'broken.deb'", &err);
	}
}
END_TEST

START_TEST(names_that_lead_out)
{
	const struct item data[] = { DIR("./"), FILE_("./../f", "x"), END };
	struct unpack_config cfg;

	deb("one", "", NULL, data);
	cfg = config(1);
	ck_fails(unpack_all(&cfg, false), EBADMSG, "bad entry", &err);
}
END_TEST

static const struct {
	bool idle;
	const char *text;
} scripts[] = {
	{ true, "set -e\ndpkg-maintscript-helper rm_conffile /etc/x 1.0 -- \"$@\"\n" },
	{ true, "set -e\nif [ \"$1\" = \"install\" ] && [ -n \"$2\" ] && [ -e /x ] ; then\n\tchmod x\nfi\n" },
	{ true, "case \"$1\" in\n  install|upgrade)\n    if [ -n \"$2\" ]; then rm /x; fi\n  ;;\nesac\n" },
	{ true, "case $1 in\nupgrade)\n\tdo_it\n;;\nabort-upgrade) ;;\n*) exit 0 ;;\nesac\nrm -rf /\n" },
	{ true, "if test \"$1\" = upgrade \\\n    -a -L $X\nthen\n    rm $X\nfi\nexit 0\n" },
	{ true, "f() {\n\trm x\n}\nP=y\nif [ \"$1\" = upgrade ]; then f; else :; fi\n" },
	{ true, "if [ \"$1\" != upgrade ]; then exit 0; fi\nrm x\n" },
	{ true, "# nothing at all\n" },
	{ false, "rm x\n" },
	{ false, "f() {\n\trm x\n}\nf\n" },
	{ false, "if [ \"$1\" = install ]; then adduser x; fi\n" },
	{ false, "if [ -e /x ]; then rm /x; fi\n" },
	{ false, "if [ -n \"$2\" ] || true; then rm /x; fi\n" },
	{ false, "case \"$1\" in\ninstall) adduser x ;;\nesac\n" },
	{ false, "case \"$2\" in\nx) ;;\nesac\n" },
	{ false, "X=$(rm x)\n" },
	{ false, "if [ \"$1\" = upgrade ]; then\ncat <<X\nfi\nX\nfi\n" },
	{ false, "if [ \"$1\" = upgrade ]; then true\n" },
	{ false, "dpkg-maintscript-helper finish_x -- \"$@\"\n" },
	{ false, ". /usr/share/debconf/confmodule\n" },
	{ false, "set -e > /etc/x\n" },
};

START_TEST(preinst_scripts)
{
	cleanup_free char *script = xasprintf("#!/bin/sh\n%s", scripts[_i].text);

	ck_assert_msg(unpack_preinst_is_idle(script) == scripts[_i].idle, "%s", script);
}
END_TEST

START_TEST(other_interpreters)
{
	ck_assert(!unpack_preinst_is_idle("#!/usr/bin/perl\n# nothing\n"));
	ck_assert(!unpack_preinst_is_idle("\177ELF"));
	ck_assert(!unpack_preinst_is_idle(""));
	ck_assert(unpack_preinst_is_idle("#! /bin/sh -e\nexit 0\n"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("unpack");
	TCase *t = tcase_create("packages");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, one_package_as_dpkg_leaves_it);
	tcase_add_loop_test(t, directories_of_two_stages, 0, 2);
	tcase_add_loop_test(t, a_file_that_moved_to_another_package, 0, 2);
	tcase_add_loop_test(t, a_file_that_moved_and_comes_first, 0, 2);
	tcase_add_loop_test(t, a_file_of_two_packages, 0, 2);
	tcase_add_loop_test(t, a_link_where_others_have_a_directory, 0, 2);
	tcase_add_loop_test(t, a_directory_where_another_has_a_link, 0, 2);
	tcase_add_loop_test(t, a_merged_usr, 0, 2);
	tcase_add_test(t, path_filters);
	tcase_add_test(t, what_dpkg_must_see);
	tcase_add_test(t, no_package);
	tcase_add_test(t, names_that_lead_out);
	suite_add_tcase(suite, t);
	t = tcase_create("second stage");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, through_links_that_scripts_made);
	tcase_add_test(t, directories_that_scripts_made);
	tcase_add_loop_test(t, left_to_dpkg, 0, (int)ARRAY_SIZE(in_the_way));
	tcase_add_test(t, filters_of_the_tree);
	tcase_add_test(t, owners_by_name);
	tcase_add_loop_test(t, owners_by_name_in_the_base, 0, 2);
	tcase_add_test(t, triggers_of_what_is_there);
	suite_add_tcase(suite, t);
	t = tcase_create("preinst");
	tcase_add_loop_test(t, preinst_scripts, 0, (int)ARRAY_SIZE(scripts));
	tcase_add_test(t, other_interpreters);
	suite_add_tcase(suite, t);
	return unit_run(suite);
}

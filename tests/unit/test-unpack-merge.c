// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From the stage into the tree: the second stage meets what scripts, hooks and the first
 * stage have left, and what only dpkg can settle is left to it.
 */
#include "tests/support/unpack-fixture.h"

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

int main(void)
{
	Suite *suite = suite_create("unpack-merge");
	TCase *t = tcase_create("second stage");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, through_links_that_scripts_made);
	tcase_add_test(t, directories_that_scripts_made);
	tcase_add_loop_test(t, left_to_dpkg, 0, (int)ARRAY_SIZE(in_the_way));
	tcase_add_test(t, filters_of_the_tree);
	tcase_add_test(t, owners_by_name);
	tcase_add_loop_test(t, owners_by_name_in_the_base, 0, 2);
	tcase_add_test(t, triggers_of_what_is_there);
	suite_add_tcase(suite, t);
	return unit_run(suite);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unpacking packages into a share: what one package leaves, what several that meet leave
 * in whatever order they come, dpkg's database, filters, and which preinst scripts are
 * known to do nothing.
 */
#include "tests/support/unpack-fixture.h"

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
	ck_assert_int_eq(look("var/lib/dpkg/info/one:amd64.postinst").mtime.tv_sec, 1700000000);
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
	ck_assert(unpack_get(u, 0)->native && unpack_get(u, 0)->facts->preinst);
	ck_assert(!unpack_get(u, 1)->native && unpack_get(u, 1)->facts->preinst);
	ck_assert_int_eq(share_stat(tree, "f", &a, NULL), -ENOENT);
	ck_assert_ptr_null(strstr(text_of("var/lib/dpkg/status"), "rest"));
	ck_assert_ptr_nonnull(strstr(text_of("var/lib/dpkg/tmp.ci.0/preinst"), "divert"));
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

	ck_assert_msg(deb_preinst_is_idle(script) == scripts[_i].idle, "%s", script);
}
END_TEST

START_TEST(other_interpreters)
{
	ck_assert(!deb_preinst_is_idle("#!/usr/bin/perl\n# nothing\n"));
	ck_assert(!deb_preinst_is_idle("\177ELF"));
	ck_assert(!deb_preinst_is_idle(""));
	ck_assert(deb_preinst_is_idle("#! /bin/sh -e\nexit 0\n"));
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
	t = tcase_create("preinst");
	tcase_add_loop_test(t, preinst_scripts, 0, (int)ARRAY_SIZE(scripts));
	tcase_add_test(t, other_interpreters);
	suite_add_tcase(suite, t);
	return unit_run(suite);
}

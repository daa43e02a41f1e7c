// SPDX-License-Identifier: GPL-2.0-or-later
/* fabricate's options: mirrors to sources files, names to formats, includes, skips. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/plan/private.h"
#include "tests/support/unit.h"
#include "umlcage/base/fd.h"

static struct error err = ERROR_INIT;
static struct fab_options o;
static char dir[] = "/tmp/test-plan.XXXXXX";

static void setup(void)
{
	fab_options_init(&o);
	strcpy(dir, "/tmp/test-plan.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
}

static void teardown(void)
{
	fab_options_release(&o);
	err_release(&err);
	ck_assert_int_eq(chdir("/"), 0);
	remove_tree(AT_FDCWD, dir, NULL);
}

static void put(const char *name, const char *text, mode_t mode)
{
	ck_ok(file_replace(AT_FDCWD, name, text, strlen(text), mode, &err), &err);
}

START_TEST(mirrors_become_the_files_mmdebstrap_would_write)
{
	put("mine.sources", "Types: deb\nURIs: http://m/x\nSuites: s\nComponents: main\n", 0644);
	put("plain", "deb http://m/y s main\n", 0644);
	o.suite = xstrdup("bookworm");
	strv_add(&o.components, "main");
	strv_add(&o.components, "contrib");
	strv_add(&o.mirrors, "http://m/debian");
	strv_add(&o.mirrors, "deb http://m/sec bookworm-security main");
	strv_add(&o.mirrors, "mine.sources");
	strv_add(&o.mirrors, "plain");
	ck_ok(fab_resolve_sources(&o, &err), &err);
	ck_assert_uint_eq(o.nsources, 3);
	ck_assert_str_eq(o.sources[0].path, "etc/apt/sources.list");
	ck_assert_str_eq(o.sources[0].content, "deb http://m/debian bookworm main contrib\n"
			 "\ndeb http://m/sec bookworm-security main\n");
	ck_assert_str_eq(o.sources[1].path, "etc/apt/sources.list.d/0001mine.sources");
	ck_assert(o.sources[1].deb822);
	ck_assert_str_eq(o.sources[2].path, "etc/apt/sources.list.d/0002plain.list");
}
END_TEST

START_TEST(a_file_as_the_first_mirror_leaves_no_sources_list)
{
	put("a.list", "deb http://m/y s main\n", 0644);
	o.suite = xstrdup("s");
	strv_add(&o.mirrors, "./a.list");
	ck_ok(fab_resolve_sources(&o, &err), &err);
	ck_assert_uint_eq(o.nsources, 1);
	ck_assert_str_eq(o.sources[0].path, "etc/apt/sources.list.d/0000a.list");
}
END_TEST

START_TEST(a_directory_is_a_mirror)
{
	cleanup_free char *expected = xasprintf("deb file://%s/m s main\n", dir);

	ck_assert_int_eq(mkdir("m", 0755), 0);
	o.suite = xstrdup("s");
	strv_add(&o.components, "main");
	strv_add(&o.mirrors, "m");
	ck_ok(fab_resolve_sources(&o, &err), &err);
	ck_assert_str_eq(o.sources[0].content, expected);
}
END_TEST

START_TEST(what_is_no_mirror_is_refused)
{
	put("junk", "hello\n", 0644);
	o.suite = xstrdup("s");
	strv_add(&o.mirrors, "junk");
	ck_fails(fab_resolve_sources(&o, &err), EINVAL, "neither sources.list lines", &err);
	strv_release(&o.mirrors);
	strv_add(&o.mirrors, "absent");
	ck_fails(fab_resolve_sources(&o, &err), EINVAL, "no address", &err);
}
END_TEST

START_TEST(the_environments_mirror_stands_alone)
{
	setenv("UMLCAGE_MIRROR", "http://env/debian", 1);
	o.suite = xstrdup("bookworm");
	strv_add(&o.components, "main");
	ck_ok(fab_resolve_sources(&o, &err), &err);
	ck_assert_uint_eq(o.nsources, 1);
	ck_assert_str_eq(o.sources[0].content, "deb http://env/debian bookworm main\n");
}
END_TEST

static const struct {
	const char *target;
	enum fab_format format;
} formats[] = {
	{ "x.tar", FAB_FORMAT_TAR }, { "x.tar.zst", FAB_FORMAT_TAR }, { "x.tgz", FAB_FORMAT_TAR },
	{ "dir.d/x.tar.xz", FAB_FORMAT_TAR }, { "x.cpio.gz", FAB_FORMAT_CPIO },
	{ "x", FAB_FORMAT_DIRECTORY }, { "x.tar.d", FAB_FORMAT_DIRECTORY },
	{ "there.tar", FAB_FORMAT_DIRECTORY }, { "/dev/null", FAB_FORMAT_NULL },
	{ "-", FAB_FORMAT_TAR },
};

START_TEST(the_format_follows_from_the_name)
{
	int fd = open("out", O_WRONLY | O_CREAT | O_CLOEXEC, 0600), saved = dup(1);

	ck_assert_int_eq(mkdir("there.tar", 0755), 0);
	ck_assert_int_eq(dup2(fd, 1), 1);
	o.target = xstrdup(formats[_i].target);
	ck_ok(fab_options_format(&o, &err), &err);
	dup2(saved, 1);
	close(saved);
	close(fd);
	ck_assert_int_eq(o.format, formats[_i].format);
}
END_TEST

START_TEST(image_formats_are_refused)
{
	o.target = xstrdup("x.squashfs");
	ck_fails(fab_options_format(&o, &err), EINVAL, "image formats", &err);
}
END_TEST

START_TEST(includes_are_split_but_not_patterns_and_paths)
{
	cleanup_free char *joined = NULL, *expected = xasprintf("a|b=1|c/s|?or(x,y)|%s/p,q.deb",
								dir);

	put("p,q.deb", "x", 0644);
	ck_ok(fab_options_include(&o, "a,b=1 c/s", &err), &err);
	ck_ok(fab_options_include(&o, "?or(x,y)", &err), &err);
	ck_ok(fab_options_include(&o, "./p,q.deb", &err), &err);
	joined = strv_join(&o.include, "|");
	ck_assert_str_eq(joined, expected);
	ck_fails(fab_options_include(&o, "./absent.deb", &err), EINVAL, "absent.deb", &err);
	ck_fails(fab_options_include(&o, "/tmp", &err), EINVAL, "not a file", &err);
}
END_TEST

START_TEST(skipping_a_step_skips_its_parts)
{
	strv_add(&o.skip, "cleanup/apt");
	ck_assert(fab_skips(&o, "cleanup/apt"));
	ck_assert(fab_skips(&o, "cleanup/apt/lists"));
	ck_assert(!fab_skips(&o, "cleanup"));
	ck_assert(!fab_skips(&o, "cleanup/aptitude"));
}
END_TEST

START_TEST(hooks_of_a_directory_go_by_their_names)
{
	ck_assert_int_eq(mkdir("h", 0755), 0);
	put("h/customize20", "#!/bin/sh\n", 0755);
	put("h/customize10", "#!/bin/sh\n", 0755);
	put("h/setup1", "#!/bin/sh\n", 0755);
	put("h/essential", "#!/bin/sh\n", 0644);
	ck_ok(fab_options_hook_directory(&o, "h", &err), &err);
	ck_assert_uint_eq(o.hooks[FAB_HOOK_SETUP].n, 1);
	ck_assert_uint_eq(o.hooks[FAB_HOOK_ESSENTIAL].n, 0);
	ck_assert_uint_eq(o.hooks[FAB_HOOK_CUSTOMIZE].n, 2);
	ck_assert(str_ends(o.hooks[FAB_HOOK_CUSTOMIZE].v[0].script, "/h/customize10"));
	ck_fails(fab_options_hook_directory(&o, "gone", &err), EINVAL, "gone", &err);
}
END_TEST

static const struct {
	const char *text;
	int flag;
} flags[] = {
	{ "APT::Install-Recommends \"true\"", 1 }, { "Apt::Install-Recommends true;", 1 },
	{ "APT::Install-Recommends=0;", 0 }, { "APT::Install-Recommends \"false\";\n", 0 },
	{ "X \"y\";\nAPT::Install-Recommends \"1\";", 1 },
	{ "APT::Install-Recommends-Sections { \"x\"; };", -1 },
	{ "APT::Install-Suggests \"true\";", -1 }, { "", -1 },
};

START_TEST(apt_options_about_recommends)
{
	ck_assert_int_eq(fab_aptconf_flag(flags[_i].text, "APT::Install-Recommends"),
			 flags[_i].flag);
}
END_TEST

START_TEST(apt_options_with_a_value)
{
	static const char text[] = "APT::Default-Release \"a\";\nX::APT::Default-Release \"no\";\n"
				   "apt::default-release 'b;\nAPT::Default-Release=trixie;";
	cleanup_free char *value = fab_aptconf_value(text, "APT::Default-Release");
	cleanup_free char *none = fab_aptconf_value(text, "APT::Default");

	ck_assert_str_eq(value, "trixie");
	ck_assert_ptr_null(none);
}
END_TEST

START_TEST(other_architectures_are_an_error)
{
	o.suite = xstrdup("s");
	o.target = xstrdup("x");
	strv_add(&o.architectures, "mips64el");
	ck_fails(fab_options_resolve(&o, &err), EINVAL, "mips64el", &err);
}
END_TEST

START_TEST(the_epoch_must_be_a_number)
{
	setenv("SOURCE_DATE_EPOCH", "yesterday", 1);
	o.suite = xstrdup("s");
	o.target = xstrdup("x");
	ck_fails(fab_options_resolve(&o, &err), EINVAL, "SOURCE_DATE_EPOCH", &err);
	setenv("SOURCE_DATE_EPOCH", "1700000000", 1);
	strv_add(&o.mirrors, "http://m/x");
	ck_ok(fab_options_resolve(&o, &err), &err);
	ck_assert_int_eq(o.source_date_epoch, 1700000000);
}
END_TEST

START_TEST(files_are_called_as_apt_calls_them)
{
	struct plan_package p = { .name = (char *)"libc6", .version = (char *)"1:2.3-1~x",
				  .arch = (char *)"amd64" };
	cleanup_free char *name = plan_deb_name(&p);

	ck_assert_str_eq(name, "libc6_1%3a2.3-1~x_amd64.deb");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("plan");
	TCase *t = tcase_create("options");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, mirrors_become_the_files_mmdebstrap_would_write);
	tcase_add_test(t, a_file_as_the_first_mirror_leaves_no_sources_list);
	tcase_add_test(t, a_directory_is_a_mirror);
	tcase_add_test(t, what_is_no_mirror_is_refused);
	tcase_add_test(t, the_environments_mirror_stands_alone);
	tcase_add_loop_test(t, the_format_follows_from_the_name, 0, ARRAY_SIZE(formats));
	tcase_add_test(t, image_formats_are_refused);
	tcase_add_test(t, includes_are_split_but_not_patterns_and_paths);
	tcase_add_test(t, skipping_a_step_skips_its_parts);
	tcase_add_test(t, hooks_of_a_directory_go_by_their_names);
	tcase_add_loop_test(t, apt_options_about_recommends, 0, ARRAY_SIZE(flags));
	tcase_add_test(t, apt_options_with_a_value);
	tcase_add_test(t, other_architectures_are_an_error);
	tcase_add_test(t, the_epoch_must_be_a_number);
	tcase_add_test(t, files_are_called_as_apt_calls_them);
	suite_add_tcase(suite, t);
	return unit_run(suite);
}

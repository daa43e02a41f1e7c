// SPDX-License-Identifier: GPL-2.0-or-later
/* fabricate's options: mirrors to sources files, names to formats, includes, skips. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/options/private.h"
#include "tests/support/unit.h"
#include "umlcage/base/fd.h"

static struct error err = ERROR_INIT;
static struct fab_options o;
static char dir[UNIT_PATH];

static void setup(void)
{
	fab_options_init(&o);
	unit_dir(dir, "test-options");
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
	ck_ok(fab_resolve_sources(&o, NULL, &err), &err);
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
	ck_ok(fab_resolve_sources(&o, NULL, &err), &err);
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
	ck_ok(fab_resolve_sources(&o, NULL, &err), &err);
	ck_assert_str_eq(o.sources[0].content, expected);
}
END_TEST

START_TEST(what_is_no_mirror_is_refused)
{
	put("junk", "hello\n", 0644);
	o.suite = xstrdup("s");
	strv_add(&o.mirrors, "junk");
	ck_fails(fab_resolve_sources(&o, NULL, &err), EINVAL, "neither sources.list lines", &err);
	strv_release(&o.mirrors);
	strv_add(&o.mirrors, "absent");
	ck_fails(fab_resolve_sources(&o, NULL, &err), EINVAL, "is not an address", &err);
}
END_TEST

START_TEST(the_environments_mirror_stands_alone)
{
	setenv("UMLCAGE_MIRROR", "http://env/debian", 1);
	o.suite = xstrdup("bookworm");
	strv_add(&o.components, "main");
	ck_ok(fab_resolve_sources(&o, NULL, &err), &err);
	ck_assert_uint_eq(o.nsources, 1);
	ck_assert_str_eq(o.sources[0].content, "deb http://env/debian bookworm main\n");
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
	ck_assert_uint_eq(o.warnings.n, 1);
	ck_assert_ptr_nonnull(strstr(o.warnings.v[0], "/h/essential' is called like a hook"));
	ck_assert_int_eq(mkdir("none", 0755), 0);
	ck_ok(fab_options_hook_directory(&o, "none", &err), &err);
	ck_assert_str_eq(o.warnings.v[1], "there is no hook in 'none'");
	ck_fails(fab_options_hook_directory(&o, "gone", &err), EINVAL, "gone", &err);
}
END_TEST

static const struct {
	const char *text, *name, *value;	/* NULL: not set */
} said[] = {
	/* apt-config dump says the same of each */
	{ "APT::Default-Release \"a\";", "apt::default-release", "a" },
	{ "APT { Default-Release \"a\"; };", "APT::Default-Release", "a" },
	{ "APT {\n\tDefault-Release\n\t\"a\";\n}\nX \"y\";", "APT::Default-Release", "a" },
	{ "APT::X \"1\"; apt::x \"2\";", "APT::X", "2" },
	{ "X::APT::Y \"no\";", "APT::Y", NULL },
	{ "APT::Y-Z \"no\";", "APT::Y", NULL },
	{ "// A \"1\";\n# A \"1\";\n/* A \"1\";\nA \"2\"; */", "A", NULL },
	{ "A \"/*x//y#z\"; // w", "A", "/*x//y#z" },
	{ "A /* b */ \"1\";", "A", "1" },
	{ "A \"1\" \"2\";", "A", "1 2" },
	{ "A b;", "A", "b" },
	{ "A b%41c;", "A", "bAc" },
	{ "A \"b%41c\";", "A", "b%41c" },
	{ "A \"1;{}\";", "A", "1;{}" },
	{ "L { \"x\"; \"y\"; };", "L::", "x" },
	{ "L { x; };", "L::", "x" },
	{ "A \"1\"; #clear A;", "A", NULL },
	{ "A::B::C \"1\"; #clear A::B;", "A::B::C", NULL },
	{ "A::BC \"1\"; #clear A::B;", "A::BC", "1" },
	{ "A \"1\"; B { C \"2\"; ", "B::C", "2" },
	{ "A \"1\";}};B \"2\";", "B", "2" },
	{ "A { B \"1\" }", "A::B", "1" },
	{ "Acquire::http { Proxy \"http://p:1\"; };", "Acquire::http::Proxy", "http://p:1" },
	{ "A \"\";", "A", NULL },
	{ "", "A", NULL },
};

START_TEST(apt_conf_is_read_as_apt_reads_it)
{
	const char *value;

	ck_ok(fab_aptconf_parse(&o.apt, "text", said[_i].text, &err), &err);
	value = fab_aptconf_value(&o.apt, said[_i].name);
	ck_assert_msg(str_eq(value, said[_i].value), "%s is '%s' in: %s", said[_i].name,
		      value ? value : "NULL", said[_i].text);
}
END_TEST

static const struct {
	const char *text, *why;
	int errnum;	/* 0: EINVAL */
} unread[] = {
	{ "garbage;", "line 1: 'garbage' has no value" },
	{ "A \"1\";\nA::B=x;", "line 2: 'A::B=x' has no value" },
	{ "A \"1\" b;", "line 1: 'b' follows the value of 'A'" },
	{ "A b c;", "'c' follows the value of 'A'" },
	{ "A \"1\"", "'A \"1\"' does not end with ';'" },
	{ "A \"1;", "does not end with ';'" },
	{ "{ B \"1\"; };", "a block has no name" },
	{ "#include \"/nonexistent/x\";", "/nonexistent/x", ENOENT },
	{ "#includes x;", "there is no directive '#includes'" },
	{ "A { #clear B; };", "'#clear' within a block" },
};

START_TEST(what_apt_would_not_read_is_refused)
{
	ck_fails(fab_aptconf_parse(&o.apt, "text", unread[_i].text, &err),
		 unread[_i].errnum ? unread[_i].errnum : EINVAL, unread[_i].why, &err);
}
END_TEST

START_TEST(apt_conf_includes_files)
{
	put("more", "B \"2\";\n", 0644);
	put("self", "#include \"self\";\n", 0644);
	ck_ok(fab_aptconf_parse(&o.apt, "text", "#include \"more\"; A \"1\";", &err), &err);
	ck_assert_str_eq(fab_aptconf_value(&o.apt, "B"), "2");
	ck_fails(fab_aptconf_parse(&o.apt, "text", "#include \"self\";", &err), EINVAL,
		 "include each other", &err);
}
END_TEST

static const struct {
	const char *text;
	int flag;
} flags[] = {
	{ "A \"true\";", 1 }, { "a YES;", 1 }, { "A 1;", 1 }, { "A with;", 1 },
	{ "A \"0\";", 0 }, { "A \"false\";\n", 0 }, { "A Disable;", 0 },
	{ "A maybe;", -1 }, { "A 2;", -1 }, { "B true;", -1 }, { "A::B true;", -1 }, { "", -1 },
};

START_TEST(apt_conf_has_yes_and_no)
{
	ck_ok(fab_aptconf_parse(&o.apt, "text", flags[_i].text, &err), &err);
	ck_assert_int_eq(fab_aptconf_flag(&o.apt, "A"), flags[_i].flag);
}
END_TEST

static const struct {
	const char *text;
	unsigned int number;
} numbers[] = {
	{ "A 3;", 3 }, { "a \"0\";", 0 }, { "A 0x10;", 16 }, { "A \"5s\";", 5 },
	{ "A \"-1\";", 0 }, { "A 99999999999;", INT_MAX }, { "A many;", 7 }, { "B 3;", 7 }, { "", 7 },
};

START_TEST(apt_conf_has_numbers)
{
	ck_ok(fab_aptconf_parse(&o.apt, "text", numbers[_i].text, &err), &err);
	ck_assert_uint_eq(fab_aptconf_number(&o.apt, "A", 7), numbers[_i].number);
}
END_TEST

static const struct {
	const char *text, *url, *proxy;
} proxies[] = {
	{ "Acquire::http::Proxy \"http://p:1\";", "http://m/debian", "http://p:1" },
	{ "Acquire::http { Proxy \"http://p:1\"; };", "http://m/debian", "http://p:1" },
	{ "Acquire::http::Proxy \"http://p:1\";", "https://m/debian", "http://p:1" },
	{ "Acquire::http::Proxy \"http://p:1\";", "file:///debian", NULL },
	{ "Acquire::https::Proxy \"http://p:1\";", "http://m/debian", NULL },
	{ "Acquire::http::Proxy \"http://p:1\"; Acquire::http::Proxy::m \"DIRECT\";",
	  "http://m:80/debian", "" },
	{ "Acquire::http::Proxy \"http://p:1\"; Acquire::http::Proxy::m \"DIRECT\";",
	  "http://u:w@m/debian", "" },
	{ "Acquire::http::Proxy \"http://p:1\"; Acquire::http::Proxy::m \"DIRECT\";",
	  "http://mm/debian", "http://p:1" },
	{ "Acquire::http::Proxy \"DIRECT\";", "http://m/debian", "" },
	{ "", "http://m/debian", NULL },
};

START_TEST(apt_conf_names_the_proxy)
{
	cleanup_free char *proxy = NULL;

	ck_ok(fab_aptconf_parse(&o.apt, "text", proxies[_i].text, &err), &err);
	proxy = fab_aptconf_proxy(&o.apt, proxies[_i].url);
	ck_assert_msg(str_eq(proxy, proxies[_i].proxy), "'%s'", proxy ? proxy : "NULL");
}
END_TEST

START_TEST(options_for_apt_and_dpkg_are_texts_and_files)
{
	cleanup_strv struct strv filters = STRV_INIT;
	cleanup_free char *joined = NULL;

	put("apt", "Acquire::Languages \"none\";\n", 0644);
	put("dpkg", "no-pager\npath-include \"/usr/share/doc/x y/*\"\n# path-exclude=/\n", 0644);
	strv_add(&o.aptopts, "Acquire::Check-Valid-Until \"false\"");
	strv_add(&o.aptopts, "apt");
	strv_add(&o.dpkgopts, "path-exclude=/usr/share/doc/*");
	strv_add(&o.dpkgopts, "dpkg");
	strv_add(&o.dpkgopts, "path-exclude-x=/a");
	strv_add(&o.dpkgopts, "path-exclude = /b");
	ck_ok(fab_resolve_texts(&o, &err), &err);
	ck_assert_str_eq(o.apt_text, "Acquire::Check-Valid-Until \"false\";\n"
			 "Acquire::Languages \"none\";\n");
	ck_assert(o.no_valid_until);
	ck_assert(str_starts(o.dpkg_text, "path-exclude=/usr/share/doc/*\nno-pager\n"));
	fab_options_filters(&o, &filters);
	joined = strv_join(&filters, "|");
	ck_assert_str_eq(joined, "path-exclude=/usr/share/doc/*|path-include=/usr/share/doc/x y/*|"
			 "path-exclude=/b");
	strv_add(&o.aptopts, "garbage");
	ck_fails(fab_resolve_texts(&o, &err), EINVAL, "--aptopt", &err);
}
END_TEST

static const char *const bad_dpkgopts[] = { "path-exclude", "path-include=", "--path-exclude=/x",
					    "=x" };

START_TEST(what_dpkg_would_not_read_is_refused)
{
	strv_add(&o.dpkgopts, bad_dpkgopts[_i]);
	ck_fails(fab_resolve_texts(&o, &err), EINVAL, "--dpkgopt", &err);
}
END_TEST

START_TEST(words_are_checked)
{
	ck_ok(fab_options_variant(&o, "Minbase", &err), &err);
	ck_assert_int_eq(o.variant, FAB_REQUIRED);
	ck_fails(fab_options_variant(&o, "minbas", &err), EINVAL, "did you mean 'minbase'", &err);
	ck_fails(fab_options_variant(&o, "huge", &err), EINVAL, "there are extract, custom", &err);
	ck_ok(fab_options_mode("unshare", &err), &err);
	ck_fails(fab_options_mode("unshrae", &err), EINVAL, "did you mean 'unshare'", &err);
	ck_ok(fab_options_skip(&o, "output/dev,cleanup/apt update", &err), &err);
	ck_assert_uint_eq(o.skip.n, 3);
	ck_fails(fab_options_skip(&o, "output/dve", &err), EINVAL, "did you mean 'output/dev'", &err);
	ck_fails(fab_options_skip(&o, "essential/unlink", &err), EINVAL, "is not supported", &err);
}
END_TEST

START_TEST(architectures_without_an_emulator_are_an_error)
{
	o.suite = xstrdup("s");
	o.target = xstrdup("x");
	strv_add(&o.architectures, "arm64");
	strv_add(&o.architectures, "arm46");
	ck_fails(fab_options_resolve(&o, NULL, &err), EINVAL, "did you mean 'arm64'", &err);
}
END_TEST

START_TEST(the_epoch_must_be_a_number)
{
	setenv("SOURCE_DATE_EPOCH", "yesterday", 1);
	o.suite = xstrdup("s");
	o.target = xstrdup("x");
	ck_fails(fab_options_resolve(&o, NULL, &err), EINVAL, "SOURCE_DATE_EPOCH", &err);
	setenv("SOURCE_DATE_EPOCH", "1700000000", 1);
	strv_add(&o.mirrors, "http://m/x");
	ck_ok(fab_options_resolve(&o, NULL, &err), &err);
	ck_assert_int_eq(o.source_date_epoch, 1700000000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("options");
	TCase *t = tcase_create("options");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, mirrors_become_the_files_mmdebstrap_would_write);
	tcase_add_test(t, a_file_as_the_first_mirror_leaves_no_sources_list);
	tcase_add_test(t, a_directory_is_a_mirror);
	tcase_add_test(t, what_is_no_mirror_is_refused);
	tcase_add_test(t, the_environments_mirror_stands_alone);
	tcase_add_test(t, includes_are_split_but_not_patterns_and_paths);
	tcase_add_test(t, skipping_a_step_skips_its_parts);
	tcase_add_test(t, hooks_of_a_directory_go_by_their_names);
	tcase_add_loop_test(t, apt_conf_is_read_as_apt_reads_it, 0, ARRAY_SIZE(said));
	tcase_add_loop_test(t, what_apt_would_not_read_is_refused, 0, ARRAY_SIZE(unread));
	tcase_add_test(t, apt_conf_includes_files);
	tcase_add_loop_test(t, apt_conf_has_yes_and_no, 0, ARRAY_SIZE(flags));
	tcase_add_loop_test(t, apt_conf_has_numbers, 0, ARRAY_SIZE(numbers));
	tcase_add_loop_test(t, apt_conf_names_the_proxy, 0, ARRAY_SIZE(proxies));
	tcase_add_test(t, options_for_apt_and_dpkg_are_texts_and_files);
	tcase_add_loop_test(t, what_dpkg_would_not_read_is_refused, 0, ARRAY_SIZE(bad_dpkgopts));
	tcase_add_test(t, words_are_checked);
	tcase_add_test(t, architectures_without_an_emulator_are_an_error);
	tcase_add_test(t, the_epoch_must_be_a_number);
	suite_add_tcase(suite, t);
	return unit_run(suite);
}

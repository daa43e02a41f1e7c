// SPDX-License-Identifier: GPL-2.0-or-later
/* The solver on small indexes: apt's choices, its order, and reasons in words. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs/solve/private.h"
#include "tests/support/unit.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/proc.h"

static struct error err = ERROR_INIT;
static struct solve *s;
static int fds[4];
static int nfds;

static void setup(void)
{
	s = solve_new(&(struct solve_config){ .arch = "amd64" });
	nfds = 0;
}

static void teardown(void)
{
	solve_free(s);
	for (int i = 0; i < nfds; i++)
		close(fds[i]);
	err_release(&err);
}

static int add_text(const char *text, size_t len, const char *suite, int pin)
{
	struct solve_source source = { .path = "Packages", .suite = suite, .codename = suite,
				       .pin = pin };

	source.fd = fds[nfds++] = memfd_with("index", text, len, &err);
	ck_assert_int_ge(source.fd, 0);
	return solve_add_index(s, &source, &err);
}

/* "name version; Field: value; Field: value" lines; arch is amd64 unless given. */
static void add_index(const char *suite, int pin, const char *const *stanzas)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;

	for (; *stanzas; stanzas++) {
		cleanup_strv struct strv parts = STRV_INIT;
		char name[64], version[64];

		strv_split(&parts, *stanzas, ";");
		ck_assert_int_eq(sscanf(parts.v[0], "%63s %63s", name, version), 2);
		sb_addf(&text, "Package: %s\nVersion: %s\n", name, version);
		if (!strstr(*stanzas, "Architecture:"))
			sb_adds(&text, "Architecture: amd64\n");
		for (size_t i = 1; i < parts.n; i++)
			sb_addf(&text, "%s\n", parts.v[i] + strspn(parts.v[i], " "));
		sb_addf(&text, "Filename: pool/%s.deb\nSize: 1\nSHA256: %064d\n\n", name, 0);
	}
	ck_ok(add_text(sb_str(&text), text.len, suite, pin), &err);
}

#define INDEX(...) add_index("stable", 500, (const char *const[]){ __VA_ARGS__, NULL })

static int select_words(const char *words, struct solve_set *set)
{
	cleanup_strv struct strv v = STRV_INIT;
	int r = 0;

	strv_split(&v, words, " ");
	for (size_t i = 0; i < v.n && !r; i++)
		r = solve_select(s, v.v[i], set, &err);
	return r;
}

static int install(const char *words)
{
	struct solve_set set = SOLVE_SET_INIT;
	int r = select_words(words, &set);

	if (!r)
		r = solve_install(s, &set, &err);
	solve_set_release(&set);
	return r;
}

/* The marked packages, sorted, automatic ones with a star: "a b* c". */
static char *marked(void)
{
	cleanup_strv struct strv names = STRV_INIT;

	for (size_t i = 0; i < s->npkgs; i++)
		if (s->pkgs[i].marked)
			strv_addf(&names, "%s%s", pool_id2str(s->pool, s->pkgs[i].name),
				  s->pkgs[i].automatic ? "*" : "");
	strv_sort(&names);
	return strv_join(&names, " ");
}

static void check_marked(const char *words, const char *expected)
{
	cleanup_free char *got = NULL;

	ck_ok(install(words), &err);
	got = marked();
	ck_assert_str_eq(got, expected);
}

static void check_install(const char *words, const char *expected)
{
	ck_ok(solve_finish(s, &err), &err);
	check_marked(words, expected);
}

START_TEST(dependencies_come_along_but_not_recommends)
{
	INDEX("a 1; Depends: b, c (>= 2); Recommends: r", "b 1; Pre-Depends: d", "c 2", "d 1",
	      "r 1", "unrelated 1");
	check_install("a", "a b* c* d*");
}
END_TEST

/* Packages of i386 have the line "Architecture: i386". */
#define I386 "; Architecture: i386"

static void with_i386(void)
{
	static const char *const foreign[] = { "i386", NULL };

	solve_free(s);
	s = solve_new(&(struct solve_config){ .arch = "amd64", .foreign = foreign });
}

START_TEST(what_a_foreign_package_needs_is_of_its_architecture)
{
	with_i386();
	INDEX("lib 1; Multi-Arch: same", "lib 1; Multi-Arch: same" I386, "app 1; Depends: lib (>= 1)" I386,
	      "app 1; Depends: lib");
	check_install("app:i386", "app@i386 lib@i386*");
}
END_TEST

START_TEST(what_is_multi_arch_foreign_serves_all)
{
	with_i386();
	INDEX("tool 1; Multi-Arch: foreign; Provides: work", "tool 1; Multi-Arch: foreign; Provides: work" I386,
	      "app 1; Depends: tool, work" I386, "doc 1; Architecture: all", "bad 1; Depends: doc" I386);
	check_install("app:i386", "app@i386 tool*");
	ck_fails(install("bad:i386"), EINVAL, "nothing provides doc:i386", &err);
}
END_TEST

START_TEST(any_is_for_what_allows_it)
{
	with_i386();
	INDEX("perl 1; Multi-Arch: allowed", "perl 1; Multi-Arch: allowed" I386, "plain 1",
	      "app 1; Depends: perl:any" I386, "bad 1; Depends: plain:any" I386);
	check_install("app:i386", "app@i386 perl*");
	ck_fails(install("bad:i386"), EINVAL, "nothing provides plain:any", &err);
}
END_TEST

START_TEST(the_same_of_two_architectures_is_in_one_version)
{
	with_i386();
	INDEX("lib 2; Multi-Arch: same", "lib 2; Multi-Arch: same" I386, "odd 2; Multi-Arch: same",
	      "odd 1; Multi-Arch: same" I386, "one 1", "one 1" I386);
	check_install("lib lib:i386", "lib lib@i386");
	ck_fails(install("odd odd:i386"), EINVAL, "conflicts with odd", &err);
	ck_fails(install("one one:i386"), EINVAL, "conflicts with one", &err);
}
END_TEST

START_TEST(conflicts_are_with_every_architecture)
{
	with_i386();
	INDEX("a 1; Conflicts: b", "b 1" I386, "c 1; Conflicts: b:amd64");
	ck_ok(solve_finish(s, &err), &err);
	ck_fails(install("a b:i386"), EINVAL, "conflicts with b:i386", &err);
}
END_TEST

START_TEST(the_native_one_is_meant_unless_there_is_none)
{
	with_i386();
	INDEX("a 1", "a 1" I386, "only 1" I386, "e 1; Essential: yes", "e 1; Essential: yes" I386);
	check_install("a only ?essential", "a e only@i386");
}
END_TEST

START_TEST(recommends_come_along_when_asked_for)
{
	INDEX("a 1; Recommends: r, absent", "r 1; Depends: q", "q 1");
	s->config.recommends = true;
	check_install("a", "a q* r*");
}
END_TEST

START_TEST(the_first_alternative_that_exists_is_taken)
{
	INDEX("a 1; Depends: gone | second | third", "second 1", "third 1");
	check_install("a", "a second*");
}
END_TEST

START_TEST(an_alternative_that_is_there_already_is_enough)
{
	INDEX("a 1; Depends: first | second", "first 1", "second 1");
	check_install("a second", "a second");
}
END_TEST

START_TEST(an_alternative_whose_needs_cannot_be_met_is_passed_over)
{
	INDEX("a 1; Depends: first | second", "first 1; Depends: absent", "second 1");
	check_install("a", "a second*");
}
END_TEST

START_TEST(of_providers_the_one_with_higher_priority_is_taken)
{
	INDEX("a 1; Depends: awk", "gawk 1; Provides: awk; Priority: optional",
	      "mawk 1; Provides: awk; Priority: required", "zawk 1; Provides: awk");
	check_install("a", "a mawk*");
}
END_TEST

START_TEST(of_equal_providers_the_one_named_last_is_taken)
{
	INDEX("a 1; Depends: virtual", "p 1; Provides: virtual; Priority: optional",
	      "q 1; Provides: virtual; Priority: optional");
	check_install("a", "a q*");
}
END_TEST

START_TEST(a_real_package_comes_before_its_providers)
{
	INDEX("a 1; Depends: x", "p 1; Provides: x; Priority: required", "x 1; Priority: extra");
	check_install("a", "a x*");
}
END_TEST

START_TEST(an_unversioned_provides_does_not_meet_a_version)
{
	INDEX("a 1; Depends: v (>= 2)", "p 1; Provides: v; Priority: required",
	      "q 1; Provides: v (= 3); Priority: optional");
	check_install("a", "a q*");
}
END_TEST

START_TEST(another_architecture_is_not_this_one)
{
	/* as libc6-x32 and libc6-i386 have it, which gcc-multilib needs both of */
	INDEX("a 1; Depends: b, c", "b 1; Conflicts: c:x32, b:i386, c:x32 (<< 5)", "c 1; Conflicts: b:i386",
	      "d 1; Depends: c:i386", "e 1; Depends: c:amd64 (>= 1)");
	ck_ok(solve_finish(s, &err), &err);
	check_marked("a e", "a b* c* e");
	ck_assert_int_eq(install("d"), -EINVAL);
}
END_TEST

START_TEST(any_architecture_is_this_one)
{
	INDEX("a 1; Depends: python:any (>= 3), lib", "python 3; Multi-Arch: allowed",
	      "lib 1; Architecture: all", "lib 9; Architecture: i386");
	check_install("a", "a lib* python*");
}
END_TEST

START_TEST(what_is_asked_for_rules_out_what_conflicts)
{
	INDEX("a 1; Depends: x | y", "x 1", "y 1", "tool 1; Conflicts: x");
	check_install("tool a", "a tool y*");
}
END_TEST

START_TEST(a_late_conflict_is_repaired)
{
	INDEX("app 1; Depends: a | b, c", "a 1", "b 1", "c 1; Conflicts: a");
	check_install("app", "app b* c*");
}
END_TEST

START_TEST(a_package_may_conflict_with_what_it_provides)
{
	INDEX("exim 1; Provides: mta; Conflicts: mta", "other 1; Provides: mta; Conflicts: mta");
	check_install("exim", "exim");
}
END_TEST

START_TEST(the_higher_version_is_the_candidate)
{
	INDEX("a 1", "a 1.10", "a 1.9");
	check_install("a", "a");
	ck_assert_str_eq(solve_version_str(s, solve_pkg_named(s, "a")->inst), "1.10");
}
END_TEST

START_TEST(a_suite_that_is_not_automatic_waits_to_be_asked)
{
	INDEX("a 1", "b 1");
	add_index("backports", 100, (const char *const[]){ "a 2; Depends: b (>= 2)", "b 2", NULL });
	check_install("a", "a");
	ck_assert_str_eq(solve_version_str(s, solve_pkg_named(s, "a")->inst), "1");
	teardown();
	setup();
	INDEX("a 1", "b 1");
	add_index("backports", 100, (const char *const[]){ "a 2; Depends: b (>= 2)", "b 2", NULL });
	check_install("a/backports", "a b*");
	ck_assert_str_eq(solve_version_str(s, solve_pkg_named(s, "a")->inst), "2");
	ck_assert_str_eq(solve_version_str(s, solve_pkg_named(s, "b")->inst), "2");
}
END_TEST

START_TEST(a_version_may_be_named)
{
	INDEX("a 1", "a 2");
	check_install("a=1", "a");
	ck_assert_str_eq(solve_version_str(s, solve_pkg_named(s, "a")->inst), "1");
}
END_TEST

static const struct {
	const char *words, *reason;
} impossible[] = {
	{ "nothing", "there is no package 'nothing'" },
	{ "a=9", "no version '9' of package 'a'; there is" },
	{ "a/sid", "suite 'sid' has no package 'a'" },
	{ "virtual", "virtual, provided by p, q" },
	{ "broken", "nothing provides absent" },
	{ "enemy a", "conflicts with" },
	{ "old", "dep" },
	{ "a:i386", "another architecture" },
	{ "?nonsense(x)", "unknown pattern" },
	{ "?name(", "expected" },
	{ "~nzzzz", "no package matches" },
	{ "office^", "no task" },
};

START_TEST(what_cannot_be_is_said_in_words)
{
	INDEX("a 1", "p 1; Provides: virtual", "q 1; Provides: virtual",
	      "broken 1; Depends: middle", "middle 1; Depends: absent",
	      "enemy 1; Conflicts: a", "old 1; Depends: dep (>= 5)", "dep 1");
	ck_ok(solve_finish(s, &err), &err);
	ck_fails(install(impossible[_i].words), EINVAL, impossible[_i].reason, &err);
}
END_TEST

static const struct {
	const char *words, *expected;
} selections[] = {
	{ "?priority(required)", "base req" },
	{ "~prequired|~pimportant", "base imp req" },
	{ "?and(?priority(required),?not(?essential))", "req" },
	{ "?essential", "base" },
	{ "!~n\"^(base|req|imp)$\"", "lib1 lib2 only" },
	{ "~nlib", "lib1 lib2" },
	{ "lib*", "lib1 lib2" },
	{ "?exact-name(lib1)", "lib1" },
	{ "?section(net)", "lib2" },
	{ "?narrow(?codename(^stable$),?architecture(amd64),~nlib1)", "lib1" },
	{ "?source-package(^src$)", "lib1 lib2" },
	{ "virt", "only" },
	{ "desk^", "imp req" },
	{ "lib1+", "lib1" },
};

START_TEST(patterns_and_names_select)
{
	INDEX("base 1; Essential: yes; Priority: required", "req 1; Priority: required; Task: desk",
	      "imp 1; Priority: important; Task: other, desk",
	      "lib1 1; Priority: optional; Source: src (3)",
	      "lib2 1; Section: net; Priority: optional; Source: src",
	      "only 1; Provides: virt; Priority: optional");
	check_install(selections[_i].words, selections[_i].expected);
}
END_TEST

START_TEST(a_minus_keeps_a_package_out)
{
	INDEX("a 1; Depends: x | y", "x 1", "y 1");
	check_install("x- a", "a y*");
}
END_TEST

/* "+a" unpack, "=a" configure */
static char *order(void)
{
	struct strbuf out = STRBUF_INIT;
	struct solve_action *v = NULL;
	size_t n = 0;

	ck_ok(solve_order(s, &v, &n, &err), &err);
	for (size_t i = 0; i < n; i++)
		sb_addf(&out, "%s%c%s", i ? " " : "", v[i].op == SOLVE_UNPACK ? '+' : '=',
			solve_name_str(s, v[i].version));
	free(v);
	return sb_steal(&out);
}

START_TEST(a_pre_depends_is_configured_first)
{
	cleanup_free char *got = NULL;

	INDEX("app 1; Pre-Depends: tool; Depends: lib", "tool 1; Depends: lib", "lib 1");
	check_install("app", "app lib* tool*");
	got = order();
	ck_assert_str_eq(got, "+lib +tool =lib =tool +app");
}
END_TEST

START_TEST(essentials_are_configured_at_once_and_commits_count)
{
	cleanup_free char *got = NULL, *then = NULL, *names = NULL;
	struct solve_set set = SOLVE_SET_INIT;

	INDEX("libc 1", "sh 1; Essential: yes; Pre-Depends: libc",
	      "app 1; Pre-Depends: libc; Depends: sh, more", "more 1");
	ck_ok(solve_finish(s, &err), &err);
	solve_select_essential(s, "stable", &set);
	ck_ok(solve_install(s, &set, &err), &err);
	solve_set_release(&set);
	got = order();
	ck_assert_str_eq(got, "+libc =libc +sh =sh");
	solve_commit(s);
	ck_ok(install("app"), &err);
	names = marked();
	ck_assert_str_eq(names, "app more*");
	then = order();
	ck_assert_str_eq(then, "+more +app");
}
END_TEST

START_TEST(a_loop_of_depends_is_no_problem)
{
	cleanup_free char *got = NULL;

	INDEX("a 1; Depends: b", "b 1; Depends: c", "c 1; Depends: a");
	check_install("a", "a b* c*");
	got = order();
	ck_assert_str_eq(got, "+c +b +a");
}
END_TEST

START_TEST(a_package_may_depend_on_itself)
{
	cleanup_free char *got = NULL;

	INDEX("a 1; Essential: yes; Provides: x; Depends: a, b | x", "b 1");
	check_install("?essential", "a");
	got = order();
	ck_assert_str_eq(got, "+a =a");
}
END_TEST

START_TEST(a_loop_of_pre_depends_is_told)
{
	struct solve_action *v = NULL;
	size_t n;

	INDEX("a 1; Pre-Depends: b", "b 1; Pre-Depends: a");
	check_install("a", "a b*");
	ck_fails(solve_order(s, &v, &n, &err), EINVAL, "Pre-Depends", &err);
}
END_TEST

/* ---- what indexes may hold ---- */

#define SUM "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
	const char *fields, *expected;	/* NULL: as if the stanza was not there */
} stanzas[] = {
	/* more bytes than libsolv before 0.7.37 has room for */
	{ "Version: 1\nArchitecture: all\nSHA512: " SUM SUM "\n", "1" },
	{ "Version: 1\nArchitecture: all\nSHA512: " SUM SUM "\nSHA256: " SUM "\n", "1" },
	{ "Version: 1\nArchitecture: all\nSHA384: " SUM "0123456789abcdef0123456789abcdef\n", "1" },
	{ "Version: 1\nSHA224: " SUM "\nSHA1: " SUM SUM SUM "\nMD5sum:\nArchitecture: all\n", "1" },
	/* of two fields the last, as in apt */
	{ "Version: 1\nVersion: 2\nArchitecture: all\n", "2" },
	/* from an editor of another system */
	{ "Version: 1\r\nArchitecture: all\r\nDepends: dep\r\n", "1" },
	{ "Version: 1\nArchitecture: all\nDepends: dep,\n dep (>= 0),\n# no more\n\tdep\n", "1" },
	{ "Version: 1\nArchitecture: all\nNoColon\n: none\n\377\376: x\nDepends: dep\n", "1" },
	{ "Version: 1\nArchitecture: all\nDepends:\nProvides: \n \n", "1" },
	/* what makes no sense */
	{ "Architecture: all\n", NULL },
	{ "Version: 1\n", NULL },
	{ "Version: 1 2\nArchitecture: all\n", NULL },
	{ "Version: ../1\nArchitecture: all\n", NULL },
	{ "Version: 1\nArchitecture: all/x\n", NULL },
	{ "Version: 1\nArchitecture: all\nDepends: dep\001\n", NULL },
	{ "Version: 1\nArchitecture: all\nPackage: -x\n", NULL },
	{ "Version: 1\nArchitecture: all\nPackage: ../x\n", NULL },
	{ "Version: 1\nArchitecture: all\nPackage: x\nPackage:\n", NULL },
};

START_TEST(stanzas_are_filtered)
{
	cleanup_free char *text = xasprintf("Package: x\n%s\nPackage: dep\nVersion: 1\n"
					    "Architecture: amd64\n\n\r\n\n",
					    stanzas[_i].fields);

	ck_ok(add_text(text, strlen(text), "stable", 500), &err);
	ck_ok(solve_finish(s, &err), &err);
	ck_assert_ptr_nonnull(solve_pkg_named(s, "dep"));
	if (!stanzas[_i].expected) {
		ck_assert_uint_eq(s->npkgs, 1);
		ck_fails(install("x"), EINVAL, "1 stanzas of index 'Packages' make no sense", &err);
		return;
	}
	ck_ok(install("x"), &err);
	ck_assert_str_eq(solve_version_str(s, solve_pkg_named(s, "x")->inst), stanzas[_i].expected);
	ck_assert_int_eq(solve_pkg_named(s, "dep")->marked,
			 strstr(stanzas[_i].fields, "Depends: dep") != NULL);
}
END_TEST

START_TEST(relations_beyond_measure_are_left_out)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;

	sb_adds(&text, "Package: x\nVersion: 1\nArchitecture: all\nDepends: a");
	for (int i = 0; i < 100000; i++)
		sb_adds(&text, " | a");
	sb_adds(&text, "\n\nPackage: y\nVersion: 1\nArchitecture: all\nDepends: a");
	for (int i = 0; i < 1000; i++)
		sb_adds(&text, " | a");
	sb_adds(&text, "\n\nPackage: a\nVersion: 1\nArchitecture: all\n");
	ck_ok(add_text(text.s, text.len, "stable", 500), &err);
	ck_ok(solve_finish(s, &err), &err);
	ck_assert_ptr_null(solve_pkg_named(s, "x"));
	check_marked("y", "a* y");
}
END_TEST

START_TEST(an_index_of_nothing_is_empty)
{
	static const char nothing[] = "\n\n\r\n# only words\n\n no field\n";

	ck_ok(add_text("", 0, "stable", 500), &err);
	ck_ok(add_text(nothing, sizeof(nothing) - 1, "stable", 500), &err);
	ck_fails(solve_finish(s, &err), ENOENT, "empty", &err);
}
END_TEST

/* A package file of dpkg-deb's. */
static int add_deb(const char *control)
{
	char dir[UNIT_PATH];
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	cleanup_close int dirfd = -1, fd = -1;
	int status, ret;

	unit_dir(dir, "test-solve");
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_ok(make_dirs(dirfd, "p/DEBIAN", 0755, &err), &err);
	ck_ok(file_replace(dirfd, "p/DEBIAN/control", control, strlen(control), 0644, &err), &err);

	cleanup_free char *tree = path_join(dir, "p"), *deb = path_join(dir, "x.deb");
	char *const argv[] = { (char[]){ "dpkg-deb" }, (char[]){ "--nocheck" }, (char[]){ "-b" },
			       tree, deb, NULL };

	ck_ok(proc_capture(argv, 4096, &out, NULL, &status, &err), &err);
	ck_assert_msg(status == 0, "%s", sb_str(&out));
	fd = open(deb, O_RDONLY | O_CLOEXEC);
	ret = solve_add_deb(s, fd, "/x.deb", &err);
	ck_ok(remove_tree(AT_FDCWD, dir, &err), &err);
	return ret;
}

START_TEST(a_package_file_is_chosen_by_its_path)
{
	struct solve_version v;

	INDEX("local 9", "dep 1");
	ck_ok(add_deb("Package: local\nVersion: 1\nArchitecture: amd64\nDepends: dep\n"
		      "SHA512: " SUM SUM "\nMaintainer: x <x@x>\nDescription: x\n"), &err);
	check_install("/x.deb", "dep* local");
	solve_describe(s, solve_pkg_named(s, "local")->inst, &v);
	ck_assert(v.local && v.source == 0 && !v.automatic);
	ck_assert_str_eq(v.version, "1");
	solve_describe(s, solve_pkg_named(s, "dep")->inst, &v);
	ck_assert(!v.local && v.source == 0 && v.automatic);
}
END_TEST

START_TEST(a_file_that_is_no_package_is_refused)
{
	cleanup_close int fd = memfd_with("deb", "!<arch>\nno", 10, &err);

	ck_fails(solve_add_deb(s, fd, "/x.deb", &err), EBADMSG, "/x.deb", &err);
}
END_TEST

static Suite *suite(void)
{
	Suite *su = suite_create("solve");
	TCase *tc = tcase_create("solve");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, dependencies_come_along_but_not_recommends);
	tcase_add_test(tc, recommends_come_along_when_asked_for);
	tcase_add_test(tc, the_first_alternative_that_exists_is_taken);
	tcase_add_test(tc, an_alternative_that_is_there_already_is_enough);
	tcase_add_test(tc, an_alternative_whose_needs_cannot_be_met_is_passed_over);
	tcase_add_test(tc, of_providers_the_one_with_higher_priority_is_taken);
	tcase_add_test(tc, of_equal_providers_the_one_named_last_is_taken);
	tcase_add_test(tc, a_real_package_comes_before_its_providers);
	tcase_add_test(tc, an_unversioned_provides_does_not_meet_a_version);
	tcase_add_test(tc, another_architecture_is_not_this_one);
	tcase_add_test(tc, any_architecture_is_this_one);
	tcase_add_test(tc, what_is_asked_for_rules_out_what_conflicts);
	tcase_add_test(tc, a_late_conflict_is_repaired);
	tcase_add_test(tc, a_package_may_conflict_with_what_it_provides);
	tcase_add_test(tc, the_higher_version_is_the_candidate);
	tcase_add_test(tc, a_suite_that_is_not_automatic_waits_to_be_asked);
	tcase_add_test(tc, a_version_may_be_named);
	tcase_add_loop_test(tc, what_cannot_be_is_said_in_words, 0, ARRAY_SIZE(impossible));
	tcase_add_loop_test(tc, patterns_and_names_select, 0, ARRAY_SIZE(selections));
	tcase_add_test(tc, what_a_foreign_package_needs_is_of_its_architecture);
	tcase_add_test(tc, what_is_multi_arch_foreign_serves_all);
	tcase_add_test(tc, any_is_for_what_allows_it);
	tcase_add_test(tc, the_same_of_two_architectures_is_in_one_version);
	tcase_add_test(tc, conflicts_are_with_every_architecture);
	tcase_add_test(tc, the_native_one_is_meant_unless_there_is_none);
	tcase_add_test(tc, a_minus_keeps_a_package_out);
	tcase_add_test(tc, a_pre_depends_is_configured_first);
	tcase_add_test(tc, essentials_are_configured_at_once_and_commits_count);
	tcase_add_test(tc, a_loop_of_depends_is_no_problem);
	tcase_add_test(tc, a_package_may_depend_on_itself);
	tcase_add_test(tc, a_loop_of_pre_depends_is_told);
	tcase_add_loop_test(tc, stanzas_are_filtered, 0, ARRAY_SIZE(stanzas));
	tcase_add_test(tc, relations_beyond_measure_are_left_out);
	tcase_add_test(tc, an_index_of_nothing_is_empty);
	tcase_add_test(tc, a_package_file_is_chosen_by_its_path);
	tcase_add_test(tc, a_file_that_is_no_package_is_refused);
	suite_add_tcase(su, tc);
	return su;
}

int main(void)
{
	return unit_run(suite());
}

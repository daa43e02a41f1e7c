// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Build files: what they mean, what is refused and where, the order of builds, what differs
 * from a manifest, the page.  Works in a directory of its own below the current one.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "rootfs/build/private.h"
#include "tests/support/unit.h"
#include "umlcage/base/fd.h"

static struct error err = ERROR_INIT;
static struct builds builds = BUILDS_INIT;
static char top[UNIT_PATH], *old_cwd;

static const struct opt some_opts[] = {
	{ OPT_STRING, 0, "variant", "NAME", 0, "what to install" },
	{ OPT_FLAG, 0, "simple", NULL, 0, "without an argument" },
	{ OPT_CALL, 0, "net", "MODE", 0, "with one or without", NULL, true },
	OPT_END,
};
static const struct opt_spec some_spec = { .groups = OPT_GROUPS({ NULL, some_opts, 0 }) };

static int check_some(int argc, char **argv, struct error *e)
{
	for (int i = 1; i < argc; i++)
		if (str_eq(argv[i], "--variant=wrong"))
			return err_usage(e, "there is no variant 'wrong'");
	return 0;
}

static const struct build_tools tools = { &some_spec, check_some };

static void setup(void)
{
	old_cwd = getcwd(NULL, 0);
	unit_dir(top, "build");
	ck_assert_int_eq(chdir(top), 0);
}

static void teardown(void)
{
	builds_release(&builds);
	ck_assert_int_eq(chdir(old_cwd), 0);
	remove_tree(AT_FDCWD, top, NULL);
	free_ptr(&old_cwd);
	err_release(&err);
}

static void put(const char *name, const char *text)
{
	ck_ok(file_replace(AT_FDCWD, name, text, strlen(text), 0644, &err), &err);
}

static int read_all(void)
{
	int ret;

	builds_release(&builds);
	ret = builds_read(&builds, &tools, NULL, 0, &err);
	return ret < 0 ? ret : builds_order(&builds, &err);
}

START_TEST(a_file_means_what_it_says)
{
	const struct build *b;

	put("more.inc", "[Publish]\nkeep = 3\n[Step last]\nrun = true\n");
	put("a.build", "Include = more.inc\n[Build]\ndescription = an ${name}\n[Source]\nsuite = trixie\n"
	    "Variant = minbase\nsimple = yes\nnet = yes\nnet = no\nnet = public\nmirror = http://one\nmirror = http://two\n[Step x]\n"
	    "run = echo ${name} ${HOME}\n  second line\nmemory = 3G\n[Output ${name}.ext4]\nsize = 64M\n"
	    "[Verify]\nrun = true\n[Limits]\ntimeout = 2m\n");
	ck_ok(read_all(), &err);
	ck_assert_uint_eq(builds.n, 1);
	b = builds.v[0];
	ck_assert_str_eq(b->name, "a");
	ck_assert_str_eq(b->description, "an a");
	ck_assert_str_eq(b->suite, "trixie");
	ck_assert_uint_eq(b->options.n, 4);
	ck_assert_str_eq(b->options.v[0], "--variant=minbase");
	ck_assert_str_eq(b->options.v[1], "--simple");
	ck_assert_str_eq(b->options.v[2], "--net");
	ck_assert_str_eq(b->options.v[3], "--net=public");
	ck_assert_uint_eq(b->mirrors.n, 2);
	ck_assert_uint_eq(b->nsteps, 2);
	ck_assert_str_eq(b->steps[0].name, "last");
	ck_assert_str_eq(b->steps[1].script, "echo a ${HOME}\nsecond line");
	ck_assert_uint_eq(b->steps[1].machine.memory, 3ull << 30);
	ck_assert_str_eq(b->outputs[0].name, "a.ext4");
	ck_assert_uint_eq(b->outputs[0].details.size, 64ull << 20);
	ck_assert_uint_eq(b->publish.keep, 3);
	ck_assert_uint_eq(b->limits.timeout, 120000);
	ck_assert_uint_eq(b->nchecks, 1);
	ck_assert(b->wanted);
}
END_TEST

static const struct {
	const char *text, *says;
} refused[] = {
	{ "x = 1\n", "a.build:1: 'x' is in no section" },
	{ "[Source]\nsuit = trixie\n", "a.build:2: there is no key 'suit' in [Source]; did you mean 'suite'" },
	{ "[Source]\nvarian = x\n", "did you mean 'variant'" },
	{ "[Source]\nsimple = perhaps\n", "neither yes nor no" },
	{ "[Source]\nlogfile = x\n", "what the build itself decides" },
	{ "[Source]\nsuite = trixie\nvariant = wrong\n", "no variant 'wrong'" },
	{ "[Source]\nsuite = trixie\nroot = x\n", "needs one of suite, root and build, and has more" },
	{ "[Source]\nroot = x\nvariant = minbase\n", "is for a suite" },
	{ "[Output]\n", "a.build:1: an output needs the name of its file" },
	{ "[Output a/b.tar]\n", "cannot be called 'a/b.tar'" },
	{ "[Output SHA256SUMS]\n", "cannot be called 'SHA256SUMS'" },
	{ "[Output SHA256SUMS.sig]\n", "cannot be called 'SHA256SUMS.sig'" },
	{ "[Output provenance.json]\n", "cannot be called" },
	{ "[Output .tar]\n", "cannot be called '.tar'" },
	{ "[Output a.tar]\n[Output a.tar]\n", "a.build:2: there is an output 'a.tar' already" },
	{ "[Output ${dat}.tar]\n", "did you mean '${date}'" },
	{ "[Publish]\nkeep = few\n", "a.build:2: keep: 'few' is not a number" },
	{ "[Source]\nroot = x\n[Step a]\nfiles = nowhere\n", "cannot read 'nowhere'" },
	{ "[Source]\nroot = x\n[Step a]\nrun = x\nmemory = 1M\n", "[Step a]" },
	{ "[Source]\nbuild = nothing\n", "there is no build 'nothing'" },
	{ "[Build]\ninclude = gone.inc\n", "a.build:2: include:" },
	{ "[Build]\ninclude = a.build\n", "included too deep" },
};

START_TEST(what_is_wrong_is_said_with_its_place)
{
	put("a.build", refused[_i].text);
	ck_assert_int_lt(read_all(), 0);
	if (!strstr(err_text(&err), refused[_i].says))
		ck_abort_msg("'%s' does not mention '%s'", err_text(&err), refused[_i].says);
}
END_TEST

START_TEST(builds_come_after_what_they_build_on)
{
	put("a.build", "[Source]\nbuild = b\n");
	put("b.build", "[Source]\nbuild = c\n");
	put("c.build", "[Source]\nroot = x\n");
	ck_ok(read_all(), &err);
	ck_assert_str_eq(builds.v[0]->name, "c");
	ck_assert_str_eq(builds.v[1]->name, "b");
	ck_assert_ptr_eq(builds.v[2]->on, builds.v[1]);
	put("c.build", "[Source]\nbuild = a\n");
	ck_fails(read_all(), EINVAL, "builds on itself", &err);
}
END_TEST

START_TEST(what_builds_on_another_brings_it_along)
{
	char *const paths[] = { (char *)"a.build" };

	put("a.build", "[Source]\nbuild = b\n");
	put("b.build", "[Source]\nroot = x\n");
	ck_ok(builds_read(&builds, &tools, paths, 1, &err), &err);
	ck_ok(builds_order(&builds, &err), &err);
	ck_assert_uint_eq(builds.n, 2);
	ck_assert(!builds.v[0]->wanted && builds.v[1]->wanted);
}
END_TEST

START_TEST(changes_of_packages_are_told)
{
	struct json_object *before = json_tokener_parse(
		"[{\"name\":\"a\",\"version\":\"1\",\"architecture\":\"all\"},"
		"{\"name\":\"b\",\"version\":\"1\",\"architecture\":\"all\"}]");
	struct json_object *after = json_tokener_parse(
		"[{\"name\":\"a\",\"version\":\"2\",\"architecture\":\"all\"},"
		"{\"name\":\"c\",\"version\":\"1\",\"architecture\":\"all\"}]");
	struct json_object *changes = build_package_changes(before, after);
	struct json_object *none = build_package_changes(after, after);
	cleanup_free char *text = build_changes_text(changes);

	ck_assert_str_eq(text, "~ a 1 -> 2\n+ c 1\n- b 1\n");
	ck_assert_uint_eq(json_object_array_length(none), 0);
	json_object_put(changes);
	json_object_put(none);
	json_object_put(before);
	json_object_put(after);
}
END_TEST

/* An empty share with dpkg's folder. */
static void make_tree(void)
{
	cleanup_share struct share s = SHARE_INIT;

	ck_ok(share_create(&s, "tree", &err), &err);
	ck_ok(make_dirs(s.fd, "var/lib/dpkg", 0755, &err), &err);
}

START_TEST(packages_are_those_that_are_installed)
{
	struct json_object *list;

	make_tree();
	put("tree/var/lib/dpkg/status",
	    "Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.2-3\n"
	    "Description: x\n Version: 9\n\nPackage: b\nStatus: deinstall ok config-files\nVersion: 1\n\n"
	    "Package: c\nStatus: hold ok installed\nVersion: 4");
	list = build_packages("tree");
	ck_assert_uint_eq(json_object_array_length(list), 2);
	ck_assert_str_eq(json_text(json_object_array_get_idx(list, 0), "version"), "1.2-3");
	ck_assert_str_eq(json_text(json_object_array_get_idx(list, 1), "name"), "c");
	json_object_put(list);
}
END_TEST

START_TEST(packages_are_not_those_of_the_host)
{
	cleanup_free char *target = xasprintf("%s/outside", top);
	struct json_object *list;

	put("outside", "Package: secret\nStatus: install ok installed\nVersion: 1\n\n");
	make_tree();
	ck_assert_int_eq(symlink(target, "tree/var/lib/dpkg/status"), 0);
	list = build_packages("tree");
	ck_assert_uint_eq(json_object_array_length(list), 0);
	json_object_put(list);
	ck_assert_int_eq(unlink("tree/var/lib/dpkg/status"), 0);
	ck_assert_int_eq(mkfifo("tree/var/lib/dpkg/status", 0600), 0);
	list = build_packages("tree");
	ck_assert_uint_eq(json_object_array_length(list), 0);
	json_object_put(list);
}
END_TEST

static const struct {
	const char *text, *spdx;
} licences[] = {
	{ "GPL-2+", "GPL-2.0-or-later" },
	{ "LGPL-2.1", "LGPL-2.1-only" },
	{ "gpl-3", "GPL-3.0-only" },
	{ "GFDL-1.3+", "GFDL-1.3-or-later" },
	{ "Expat", "MIT" },
	{ "BSD-3-clause", "BSD-3-Clause" },
	{ "GPL-1+ or Artistic", "GPL-1.0-or-later OR Artistic-1.0" },
	{ "GPL-2+ or Artistic-2.0, and BSD-2-clause", "(GPL-2.0-or-later OR Artistic-2.0) AND BSD-2-Clause" },
	{ "ISC OR MIT", "ISC OR MIT" },
	{ "ISC and/or zlib", "ISC OR Zlib" },
	{ "GPL-2+ with OpenSSL exception", "LicenseRef-GPL-2--with-OpenSSL-exception" },
	/* there is none of this number */
	{ "GPL-7", "LicenseRef-GPL-7" },
	{ "public-domain", "LicenseRef-public-domain" },
	{ "x_(y)", "LicenseRef-x--y-" },
	{ "or", "LicenseRef-unnamed" },
	{ "MIT or", "MIT" },
	{ ", MIT", "MIT" },
};

START_TEST(licences_are_told_as_spdx_has_them)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;

	build_licence(licences[_i].text, &out);
	ck_assert_str_eq(sb_str(&out), licences[_i].spdx);
}
END_TEST

static char *licence_of(const char *copyright)
{
	struct json_object *list;
	char *text;

	ck_ok(remove_tree(AT_FDCWD, "tree", &err), &err);
	make_tree();
	put("tree/var/lib/dpkg/status", "Package: a\nStatus: install ok installed\nVersion: 1\n");
	ck_ok(make_dirs(AT_FDCWD, "tree/usr/share/doc/a", 0755, &err), &err);
	put("tree/usr/share/doc/a/copyright", copyright);
	list = build_packages("tree");
	build_note_licences(list, "tree");
	text = xstrdup(json_text(json_object_array_get_idx(list, 0), "license"));
	json_object_put(list);
	return text;
}

#define FORMAT "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"

START_TEST(licences_are_those_of_files)
{
	cleanup_free char *text = licence_of(FORMAT "\nFiles: *\nLicense: MIT or GPL-2+\n one\n .\n two\n\n"
					     "Files: a\nLicense: X-1\n\nFiles: b\nLicense: X-1\n\n"
					     "License: ISC\n text\n");

	ck_assert_str_eq(text, "(MIT OR GPL-2.0-or-later) AND LicenseRef-X-1");
	free_ptr(&text);
	text = licence_of("This is GPL-2+.\nFormat: none\nLicense: MIT\n");
	ck_assert_str_eq(text, "");
	free_ptr(&text);
	/* it ends amid nonsense: what it would have said is not known */
	text = licence_of(FORMAT "\nFiles: *\nLicense: MIT\n\nno field\n");
	ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(texts_of_trees_become_json)
{
	struct json_object *list;

	make_tree();
	put("tree/var/lib/dpkg/status",
	    "Package: a\nStatus: install ok installed\nVersion: \xff\xc3\xa4\nSource: b (2)\n"
	    "Built-Using: c (= 1:3),\n d (= 4)\n");
	list = build_packages("tree");
	ck_assert_str_eq(json_text(json_object_array_get_idx(list, 0), "version"), "\xef\xbf\xbd\xc3\xa4");
	ck_assert_str_eq(json_text(json_object_array_get_idx(list, 0), "built_using"), "c (= 1:3), d (= 4)");
	json_object_put(list);
}
END_TEST

START_TEST(sources_of_a_package_are_all_named)
{
	struct json_object *o = json_tokener_parse(
		"{\"name\":\"a\",\"version\":\"1+b1\",\"source\":\"s (1)\",\"built_using\":\"c (= 1:3), d (= 4)\","
		"\"static_built_using\":\"e (= 5), , (\"}");
	struct build_sources s;

	build_sources(o, &s);
	ck_assert_uint_eq(s.n, 4);
	ck_assert_str_eq(s.v[0].name, "s");
	ck_assert_str_eq(s.v[0].version, "1");
	ck_assert_str_eq(s.v[1].version, "1:3");
	ck_assert_str_eq(s.v[2].how, "built-using");
	ck_assert_str_eq(s.v[3].name, "e");
	build_sources_release(&s);
	json_object_object_del(o, "source");
	build_sources(o, &s);
	ck_assert_str_eq(s.v[0].name, "a");
	ck_assert_str_eq(s.v[0].version, "1+b1");
	build_sources_release(&s);
	json_object_put(o);
}
END_TEST

START_TEST(page_shows_what_it_is_given_as_text)
{
	char text[] = "step x: <script>alert(1)</script>\nlog: \"a\"&b", name[] = "a<b", other[] = "other";
	char folder[] = "/srv/a\"b", changes[] = "";
	struct build_run run = { .when = 1700000000, .failed = true, .text = text, .changes = changes };
	struct build_status status = { .name = name, .folder = folder, .checked = 1700000000,
				       .runs = &run, .nruns = 1 };
	const struct build_statuses s = { &status, 1 };
	struct build_status both[] = { status, { .name = other, .folder = folder } };
	const struct build_statuses two = { both, 2 };
	cleanup_free char *page = builds_page(&s, 1700000100);

	ck_assert_ptr_null(strstr(page, "<script"));
	ck_assert_ptr_nonnull(strstr(page, "&lt;script&gt;"));
	ck_assert_ptr_nonnull(strstr(page, "a&lt;b"));
	ck_assert_ptr_nonnull(strstr(page, "1 of 1 failed"));
	run.failed = false;
	free_ptr(&page);
	page = builds_page(&s, 1700000100);
	ck_assert_ptr_nonnull(strstr(page, "all 1 are good"));
	/* what is to be looked at is named first, and where its log is */
	free_ptr(&page);
	run.failed = true;
	run.seconds = 3725;
	page = builds_page(&two, 1700000100);
	ck_assert_ptr_nonnull(strstr(page, "1 of 2 failed, 1 of 2 did not run"));
	ck_assert_ptr_nonnull(strstr(page, "<p class=\"look\"><a href=\"#a&lt;b\">a&lt;b</a> <a href=\"#other\">"));
	ck_assert_ptr_nonnull(strstr(page, "/failed.log\">"));
	ck_assert_ptr_nonnull(strstr(page, "<td>1 h 2 min<td>"));
	run.failed = false;
	/* nothing ran for two days */
	free_ptr(&page);
	page = builds_page(&s, 1700000000 + 2 * 86400);
	ck_assert_ptr_nonnull(strstr(page, "has not run lately"));
}
END_TEST

START_TEST(records_are_kept_newest_first)
{
	struct build_run run = { .when = 1, .text = (char *)"one" };
	struct json_object *o, *runs = NULL;

	for (int i = 0; i < 70; i++) {
		run.when = i;
		build_record(top, "a", &run);
	}
	build_record(top, "a", NULL);
	o = build_records(top);
	ck_assert(json_object_object_get_ex(o, "runs", &runs));
	ck_assert_int_le((int)json_object_array_length(runs), 61);
	ck_assert_int_eq((int)json_number(json_object_array_get_idx(runs, 0), "when"), 69);
	ck_assert_int_gt((int)json_number(o, "checked"), 0);
	json_object_put(o);
}
END_TEST

/* ---- trees in the making ---- */

static void wake_up(int sig)
{
	(void)sig;
}

/* While somebody sweeps none is begun, which he could take for one that was left. */
START_TEST(part_is_begun_when_nobody_sweeps)
{
	const struct itimerval soon = { .it_value.tv_usec = 20000, .it_interval.tv_usec = 20000 }, never = { 0 };
	const struct sigaction wake = { .sa_handler = wake_up };
	cleanup_close int sweeper = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), part = -1, other = -1;

	ck_assert_int_eq(flock(sweeper, LOCK_EX), 0);
	ck_assert_int_eq(sigaction(SIGALRM, &wake, NULL), 0);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &soon, NULL), 0);
	ck_assert_int_eq(build_begin_part(".", ".part", &err), -EINTR);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
	ck_assert_int_lt(access(".part", F_OK), 0);
	ck_assert_int_eq(flock(sweeper, LOCK_UN), 0);

	part = build_begin_part(".", ".part", &err);
	ck_assert_int_ge(part, 0);
	/* and then others may */
	ck_assert_int_eq(flock(sweeper, LOCK_EX | LOCK_NB), 0);
	other = open(".part", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_lt(flock(other, LOCK_EX | LOCK_NB), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("build");
	TCase *tc = tcase_create("build");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_file_means_what_it_says);
	tcase_add_loop_test(tc, what_is_wrong_is_said_with_its_place, 0, (int)ARRAY_SIZE(refused));
	tcase_add_test(tc, builds_come_after_what_they_build_on);
	tcase_add_test(tc, what_builds_on_another_brings_it_along);
	tcase_add_test(tc, changes_of_packages_are_told);
	tcase_add_test(tc, packages_are_those_that_are_installed);
	tcase_add_test(tc, packages_are_not_those_of_the_host);
	tcase_add_loop_test(tc, licences_are_told_as_spdx_has_them, 0, (int)ARRAY_SIZE(licences));
	tcase_add_test(tc, licences_are_those_of_files);
	tcase_add_test(tc, texts_of_trees_become_json);
	tcase_add_test(tc, sources_of_a_package_are_all_named);
	tcase_add_test(tc, page_shows_what_it_is_given_as_text);
	tcase_add_test(tc, records_are_kept_newest_first);
	tcase_add_test(tc, part_is_begun_when_nobody_sweeps);
	suite_add_tcase(s, tc);
	return unit_run(s);
}

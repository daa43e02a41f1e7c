// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Building packages: what is left of dependencies, what sources are told apart by, what of a
 * guest's results is taken.  Works in a directory of its own below the current one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/debbuild/private.h"
#include "tests/support/unit.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/hash.h"

static struct error err = ERROR_INIT;
static struct debsource source = SOURCE_INIT;
static struct debian_files files = DEBIAN_FILES_INIT;
static char top[UNIT_PATH], *old_cwd;

static void setup(void)
{
	old_cwd = getcwd(NULL, 0);
	unit_dir(top, "debbuild");
	ck_assert_int_eq(chdir(top), 0);
}

static void teardown(void)
{
	debsrc_release(&source);
	debian_files_release(&files);
	ck_assert_int_eq(chdir(old_cwd), 0);
	remove_tree(AT_FDCWD, top, NULL);
	free_ptr(&old_cwd);
	err_release(&err);
}

static void put(const char *name, const char *text)
{
	ck_ok(file_replace(AT_FDCWD, name, text, strlen(text), 0644, &err), &err);
}

/* ---- dependencies ---- */

struct reduction {
	const char *field, *profiles, *left;	/* NULL: refused */
};

/* What Dpkg::Deps (1.21 and 1.22) says for amd64, asked through dpkg-checkbuilddeps and perl. */
static const struct reduction reductions[] = {
	{ "debhelper-compat (= 13)", "", "debhelper-compat (= 13)" },
	{ "a, b (>= 1.0~), c (<<2)", "", "a, b (>= 1.0~), c (<< 2)" },
	{ "a | b | c", "", "a | b | c" },
	{ "a [amd64] | b [i386], c [!amd64], d [!i386 !arm64]", "", "a, d" },
	{ "a [linux-any], b [any-amd64], c [hurd-any], d [any-i386], e [gnu-any-any]", "", "a, b, e" },
	{ "a [musl-any-any], b [any], c [kfreebsd-amd64 amd64], d [armhf]", "", "b, c" },
	{ "a <!nocheck>, b <nocheck>, c <!nodoc> <stage1>", "", "a, c" },
	{ "a <!nocheck>, b <nocheck>, c <!nodoc> <stage1>", "nocheck nodoc", "b" },
	{ "a <!nocheck>, b <nocheck>, c <!nodoc> <stage1>", "nodoc stage1", "a, c" },
	{ "a <!nocheck !nodoc>", "nodoc", "" },
	{ "a (>= 2) [amd64] <!stage1> | b", "", "a (>= 2) | b" },
	{ "python3:any, gcc:native (>= 12), x:amd64", "", "python3, gcc (>= 12), x" },
	{ " ,, a ,\n\tb\n , ", "", "a, b" },
	{ "", "", "" },
	{ "libc6:i386", "", NULL },
	{ "a (>> )", "", NULL },
	{ "a (=> 1)", "", NULL },
	{ "a (= 1", "", NULL },
	{ "a b", "", NULL },
	{ "${misc:Depends}", "", NULL },
	{ "a |", "", NULL },
	{ "a [amd64", "", NULL },
	{ "a []", "", NULL },
	{ "-x", "", NULL },
};

START_TEST(dependencies_are_reduced_as_dpkg_does)
{
	const struct reduction *r = &reductions[_i];
	cleanup_strv struct strv profiles = STRV_INIT;
	cleanup_strbuf struct strbuf left = STRBUF_INIT;
	const struct depends_for how = { "amd64", &profiles };
	int ret;

	strv_split(&profiles, r->profiles, " ");
	ret = depends_reduce(r->field, "Build-Depends", &how, &left, &err);
	if (r->left) {
		ck_ok(ret, &err);
		ck_assert_str_eq(sb_str(&left), r->left);
	} else {
		ck_assert_int_eq(ret, -EINVAL);
		ck_assert_msg(str_starts(err_text(&err), "Build-Depends: "), "%s", err_text(&err));
		ck_assert_int_eq(err_kind(&err), ERR_USAGE);
	}
}
END_TEST

START_TEST(wildcards_mean_what_dpkg_says)
{
	/* dpkg-architecture -a ARCH -i PATTERN */
	ck_assert(depends_arch_is("armhf", "any-arm"));
	ck_assert(depends_arch_is("armhf", "eabihf-any-any-any"));
	ck_assert(depends_arch_is("hurd-i386", "hurd-any"));
	ck_assert(depends_arch_is("hurd-i386", "any-i386"));
	ck_assert(depends_arch_is("musl-linux-arm64", "musl-any-any"));
	ck_assert(!depends_arch_is("hurd-i386", "linux-any"));
	ck_assert(!depends_arch_is("amd64", "any-any-any-any-any"));
	ck_assert(!depends_arch_is("amd64", "i386"));
	ck_assert(!depends_arch_is("musl-linux-arm64", "gnu-any-any"));
}
END_TEST

/* ---- sources ---- */

START_TEST(a_tree_says_who_it_is)
{
	ck_assert_int_eq(mkdir("tree", 0755), 0);
	ck_assert_int_eq(mkdir("tree/debian", 0755), 0);
	put("tree/debian/changelog", "\nfoo (2:1.5-rc1-3~bpo) trixie-backports; urgency=low\n\n  * x\n");
	put("tree/debian/control", "# comment\nSource: foo\nBuild-Depends: a,\n# no\n b\n\nPackage: foo\n");
	ck_ok(debsrc_open(&source, "tree", &err), &err);
	ck_assert_int_eq(source.kind, SOURCE_TREE);
	ck_assert_str_eq(source.name, "foo");
	ck_assert_str_eq(source.version, "2:1.5-rc1-3~bpo");
	ck_assert_str_eq(source.file_version, "1.5-rc1-3~bpo");
	ck_assert_str_eq(source.upstream, "1.5-rc1");
	ck_assert_str_eq(source.distribution, "trixie-backports");
	ck_assert_ptr_nonnull(strstr(deb822_get(&source.control, "Build-Depends"), "b"));
}
END_TEST

START_TEST(a_tree_without_a_name_is_refused)
{
	ck_assert_int_eq(mkdir("tree", 0755), 0);
	ck_assert_int_lt(debsrc_open(&source, "./tree", &err), 0);
	ck_assert_ptr_nonnull(strstr(err_text(&err), "not a tree with a Debian package"));
	err_release(&err);
	debsrc_release(&source);
	ck_assert_int_eq(mkdir("tree/debian", 0755), 0);
	put("tree/debian/changelog", "foo (../../1) unstable; urgency=low\n");
	ck_assert_int_eq(debsrc_open(&source, "tree", &err), -EINVAL);
}
END_TEST

#define SUM_OF_X "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"	/* "x" */

static void put_dsc(const char *sum, const char *name)
{
	cleanup_free char *text = xasprintf(
		"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nFormat: 3.0 (native)\nSource: foo\n"
		"Version: 1\nArchitecture: any\nChecksums-Sha256:\n %s 1 %s\n\n"
		"-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n", sum, name);

	put("foo_1.dsc", text);
	put("foo_1.tar.xz", "x");
}

START_TEST(what_a_dsc_lists_is_verified)
{
	int fd;

	ck_assert_int_eq(mkdir("to", 0755), 0);
	put_dsc(SUM_OF_X, "foo_1.tar.xz");
	ck_ok(debsrc_open(&source, "foo_1.dsc", &err), &err);
	ck_assert_uint_eq(source.files.n, 2);
	fd = open("to", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_ok(debsrc_place(&source, NULL, fd, &err), &err);
	ck_assert_int_eq(access("to/foo_1.tar.xz", R_OK), 0);
	ck_assert_int_eq(access("to/foo_1.dsc", R_OK), 0);
	put("foo_1.tar.xz", "y");
	ck_assert_int_eq(unlink("to/foo_1.tar.xz"), 0);
	ck_assert_int_eq(unlink("to/foo_1.dsc"), 0);
	ck_assert_int_eq(debsrc_place(&source, NULL, fd, &err), -EBADMSG);
	close(fd);
}
END_TEST

START_TEST(a_dsc_lists_no_paths)
{
	static const char *const names[] = { "../foo.tar", "a/b", ".hidden", "-x" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		put_dsc(SUM_OF_X, names[i]);
		ck_assert_int_eq(debsrc_open(&source, "foo_1.dsc", &err), -EBADMSG);
		debsrc_release(&source);
		err_release(&err);
	}
	put_dsc("123", "foo_1.tar.xz");
	ck_assert_int_eq(debsrc_open(&source, "foo_1.dsc", &err), -EBADMSG);
}
END_TEST

/* ---- results ---- */

static int read_results(const char *changes)
{
	int fd = open("made", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret;

	if (changes)
		put("made/foo_1_amd64.changes", changes);
	source.name = source.name ? source.name : xstrdup("foo");
	source.kind = SOURCE_DSC;
	ret = output_read(fd, &source, false, &files, &err);
	close(fd);
	return ret;
}

static const char changes[] = "Source: foo\nChecksums-Sha256:\n " SUM_OF_X " 1 foo_1_amd64.deb\n";

START_TEST(results_appear_whole)
{
	struct stat st;
	int fd;

	ck_assert_int_eq(mkdir("made", 0755), 0);
	ck_assert_int_eq(mkdir("out", 0755), 0);
	put("made/foo_1_amd64.deb", "x");
	ck_ok(read_results(changes), &err);
	ck_assert_uint_eq(files.n, 2);
	ck_assert_str_eq(files.v[1].name, "foo_1_amd64.changes");
	fd = open("made", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* another's file is in the way: nothing appears */
	put("out/foo_1_amd64.changes", "mine");
	ck_assert_int_eq(output_hand_over(fd, "out", &files, false, &err), -EEXIST);
	ck_assert_int_eq(err_kind(&err), ERR_USAGE);
	ck_assert_int_lt(stat("out/foo_1_amd64.deb", &st), 0);
	err_release(&err);
	ck_ok(output_hand_over(fd, "out", &files, true, &err), &err);
	ck_assert_int_eq(stat("out/foo_1_amd64.changes", &st), 0);
	ck_assert_int_eq(st.st_size, (off_t)strlen(changes));
	/* and again: what is the same may stay */
	ck_ok(output_hand_over(fd, "out", &files, false, &err), &err);
	close(fd);
}
END_TEST

START_TEST(a_guest_gives_files_and_nothing_else)
{
	int fd;

	ck_assert_int_eq(mkdir("made", 0755), 0);
	ck_assert_int_eq(mkdir("out", 0755), 0);
	put("secret", "x");
	ck_assert_int_eq(symlink("../secret", "made/foo_1_amd64.deb"), 0);
	ck_ok(read_results(changes), &err);
	fd = open("made", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_lt(output_hand_over(fd, "out", &files, false, &err), 0);
	err_release(&err);
	/* a fifo must not be waited for */
	ck_assert_int_eq(unlink("made/foo_1_amd64.deb"), 0);
	ck_assert_int_eq(mkfifo("made/foo_1_amd64.deb", 0644), 0);
	ck_assert_int_eq(output_hand_over(fd, "out", &files, false, &err), -EBADMSG);
	err_release(&err);
	/* other bytes than the .changes says */
	ck_assert_int_eq(unlink("made/foo_1_amd64.deb"), 0);
	put("made/foo_1_amd64.deb", "y");
	ck_assert_int_eq(output_hand_over(fd, "out", &files, false, &err), -EBADMSG);
	ck_assert_int_lt(access("out/foo_1_amd64.changes", F_OK), 0);
	close(fd);
	fd = open("out", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* nothing is left of the attempts */
	{
		cleanup_strv struct strv names = STRV_INIT;

		ck_ok(dir_names(fd, &names, &err), &err);
		ck_assert_uint_eq(names.n, 0);
	}
	close(fd);
}
END_TEST

START_TEST(packages_may_have_another_version)
{
	ck_assert_int_eq(mkdir("made", 0755), 0);
	put("made/foo_1_amd64.deb", "x");
	source.version = xstrdup("1");
	ck_ok(read_results("Source: foo (1)\nChecksums-Sha256:\n " SUM_OF_X " 1 foo_1_amd64.deb\n"), &err);
	ck_assert_int_eq(read_results("Source: foo (2)\nChecksums-Sha256:\n"), -EBADMSG);
}
END_TEST

/* ---- what builds say of themselves ---- */

static const char buildinfo[] =
	"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nFormat: 1.0\nSource: foo (1:2-3)\n"
	"Architecture: amd64 all source\nVersion: 1:2-3+b1\nBinary-Only-Changes:\n foo (1:2-3+b1) sid\n .\n"
	"   * Why\nChecksums-Sha256:\n " SUM_OF_X " 1 foo_2-3+b1_amd64.deb\n " SUM_OF_X " 1 foo_2-3.dsc\n"
	"Build-Architecture: amd64\nBuild-Path: %s\nInstalled-Build-Depends:\n a (= 1),\n b (= 2)\n"
	"Environment:\n A_1=\"x \\\"y\\\\\"\n 2=\"x\"\n a=\"x\"\n B=x\n\n"
	"-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n";

#define BAD_INFO(source, version, arch) \
	"Source: " source "\nVersion: " version "\nArchitecture: all\nBuild-Architecture: " arch "\n" \
	"Checksums-Sha256:\n " SUM_OF_X " 1 foo_2-3_all.deb\nInstalled-Build-Depends: a (= 1)\n"

static const char *const bad_infos[] = {
	BAD_INFO("../foo", "1", "amd64"), BAD_INFO("foo", "1/../2", "amd64"),
	BAD_INFO("foo (../2)", "1", "amd64"), BAD_INFO("foo", "1", "../amd64"), BAD_INFO("-foo", "1", "amd64"),
};

static struct buildinfo info = BUILDINFO_INIT;

static void read_info(const char *path)
{
	cleanup_free char *text = xasprintf(buildinfo, path);

	buildinfo_release(&info);
	put("foo.buildinfo", text);
	ck_ok(buildinfo_read(&info, "foo.buildinfo", &err), &err);
}

START_TEST(a_buildinfo_is_read)
{
	struct debbuild_result r = { 0 };
	cleanup_free char *what = NULL, *dsc = NULL;

	read_info("/build/foo-2");
	ck_assert_str_eq(info.source, "foo");
	ck_assert_str_eq(info.source_version, "1:2-3");
	ck_assert_str_eq(info.version, "1:2-3+b1");
	ck_assert_uint_eq(info.types, BUILD_BINARY);
	ck_assert_str_eq(info.build_path, "/build/foo-2");
	ck_assert_str_eq(info.entry, "foo (1:2-3+b1) sid\n\n  * Why\n\n");
	ck_assert_uint_eq(info.env.n, 1);
	ck_assert_str_eq(info.env.v[0], "A_1=x \"y\\");
	what = buildinfo_what(&info);
	ck_assert_str_eq(what, "foo=1:2-3");
	put("foo_2-3.dsc", "");
	dsc = buildinfo_what(&info);
	ck_assert(str_ends(dsc, "/foo_2-3.dsc"));
	/* nothing was made of the package that it lists */
	ck_assert_int_eq(buildinfo_compare(&info, &r, &err), -EBADMSG);
	ck_assert_uint_eq(r.differ.n, 1);
	err_release(&err);
	strv_release(&r.differ);
	ck_ok(debian_files_parse(&r.files, SUM_OF_X " 1 foo_2-3+b1_amd64.deb", "x", &err), &err);
	ck_ok(buildinfo_compare(&info, &r, &err), &err);
	debbuild_result_release(&r);
	/* places where a build is not to be */
	read_info("/build/../etc");
	ck_assert_ptr_null(info.build_path);
	read_info("/etc");
	ck_assert_ptr_null(info.build_path);
	read_info("/build/$(x)");
	ck_assert_ptr_null(info.build_path);
	buildinfo_release(&info);
	/* what would become another path */
	for (size_t k = 0; k < ARRAY_SIZE(bad_infos); k++) {
		put("foo.buildinfo", bad_infos[k]);
		ck_fails(buildinfo_read(&info, "foo.buildinfo", &err), EINVAL, "that make sense", &err);
		buildinfo_release(&info);
	}
	put("foo.buildinfo", "Format: 1.0\nSource: foo\n");
	ck_assert_int_eq(buildinfo_read(&info, "foo.buildinfo", &err), -EINVAL);
	buildinfo_release(&info);
}
END_TEST

START_TEST(changes_of_another_are_refused)
{
	ck_assert_int_eq(mkdir("made", 0755), 0);
	ck_assert_int_eq(read_results(NULL), -EBADMSG);
	err_release(&err);
	ck_assert_int_eq(read_results("Source: bar\nChecksums-Sha256:\n"), -EBADMSG);
	err_release(&err);
	ck_assert_int_eq(read_results("Source: foo\nChecksums-Sha256:\n " SUM_OF_X " 1 ../../x\n"), -EBADMSG);
	err_release(&err);
	put("made/other.changes", changes);
	ck_assert_int_eq(read_results(changes), -EBADMSG);
}
END_TEST

START_TEST(a_build_in_the_way_is_seen_before)
{
	ck_assert_int_eq(mkdir("out", 0755), 0);
	ck_ok(output_check("out", "foo_1-2_amd64", false, &err), &err);
	put("out/foo_1-2_amd64.changes", "");
	ck_assert_int_eq(output_check("out", "foo_1-2_amd64", false, &err), -EEXIST);
	err_release(&err);
	ck_ok(output_check("out", "foo_1-2_amd64", true, &err), &err);
}
END_TEST

START_TEST(the_record_is_json)
{
	struct debbuild_result r = { .step = DEBBUILD_BUILD, .why = xstrdup("it \"failed\""),
				     .source = xstrdup("foo"), .architecture = xstrdup("amd64") };
	cleanup_free char *text = debbuild_json(&r);

	ck_assert_ptr_nonnull(strstr(text, "\"status\": \"attempted\""));
	ck_assert_ptr_nonnull(strstr(text, "\"step\": \"build\""));
	ck_assert_ptr_nonnull(strstr(text, "it \\\"failed\\\""));
	ck_assert_ptr_nonnull(strstr(text, "\"version\": null"));
	debbuild_result_release(&r);
}
END_TEST

/* as many processors as jobs, as far as a cage has them */
START_TEST(processors_for_jobs)
{
	struct machine m = MACHINE_INIT;

	machine_cpus_for(&m, 0);
	ck_assert_uint_eq(m.cpus, 1);
	m.ptrace_mode = true;
	machine_cpus_for(&m, 2);
	ck_assert_uint_eq(m.cpus, 1);
	m.ptrace_mode = false;
	machine_cpus_for(&m, 4);
	machine_cpus_for(&m, 2);
	ck_assert_uint_eq(m.cpus, 4);
	machine_cpus_for(&m, 1000);
	ck_assert_uint_eq(m.cpus, 64);
	machine_release(&m);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("debbuild");
	TCase *t = tcase_create("dependencies");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, dependencies_are_reduced_as_dpkg_does, 0, ARRAY_SIZE(reductions));
	tcase_add_test(t, wildcards_mean_what_dpkg_says);
	suite_add_tcase(suite, t);
	t = tcase_create("sources and results");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_tree_says_who_it_is);
	tcase_add_test(t, a_tree_without_a_name_is_refused);
	tcase_add_test(t, what_a_dsc_lists_is_verified);
	tcase_add_test(t, a_dsc_lists_no_paths);
	tcase_add_test(t, results_appear_whole);
	tcase_add_test(t, a_guest_gives_files_and_nothing_else);
	tcase_add_test(t, changes_of_another_are_refused);
	tcase_add_test(t, packages_may_have_another_version);
	tcase_add_test(t, a_buildinfo_is_read);
	tcase_add_test(t, a_build_in_the_way_is_seen_before);
	tcase_add_test(t, processors_for_jobs);
	tcase_add_test(t, the_record_is_json);
	suite_add_tcase(suite, t);
	return unit_run(suite);
}

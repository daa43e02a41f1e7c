// SPDX-License-Identifier: GPL-2.0-or-later
/* Kernels that are built: keys, manifests, the cache's folders, the reading of kbuild's output. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel-config/kernel.h"
#include "kernel-config/make.h"
#include "kernel-config/manifest.h"
#include "kernel-config/recipe.h"
#include "kernel-config/tools.h"
#include "kernel-config/tree.h"
#include "tests/support/kernel-top.h"
#include "tests/support/unit.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/hash.h"
#include "umlcage/base/str.h"

/* ---- keys and manifests ---- */

START_TEST(keys_change_with_every_input)
{
	static const char a_data[] = "aaa", b_data[] = "bbb";
	struct asset assets[] = {
		{ "base.config", a_data, a_data + 3 }, { "debug.config", b_data, b_data + 3 },
		{ "exclude", b_data, b_data + 3 }, { "humfs/x.c", a_data, a_data + 2 },
		{ "patches/1.patch", b_data, b_data + 3 }, { NULL, NULL, NULL },
	};
	cleanup_free char *recipe = recipe_hash(assets, ""), *other;
	cleanup_free char *key = recipe_key(recipe, "s", "gcc 12", ""), *again;
	static const char *const inputs[][4] = {
		{ "R", "s", "gcc 12", "" }, { NULL, "t", "gcc 12", "" }, { NULL, "s", "gcc 13", "" },
		{ NULL, "s", "gcc 12", "CONFIG_A=y\n" }, { NULL, "sg", "cc 12", "" },
	};

	ck_assert_uint_eq(strlen(recipe), 64);
	ck_assert_uint_eq(strlen(key), 64);
	again = recipe_key(recipe, "s", "gcc 12", "");
	ck_assert_str_eq(key, again);
	for (size_t i = 0; i < ARRAY_SIZE(inputs); i++) {
		cleanup_free char *k = recipe_key(inputs[i][0] ? inputs[i][0] : recipe, inputs[i][1],
						    inputs[i][2], inputs[i][3]);

		ck_assert_str_ne(k, key);
	}

	/* neither are the words above a patch, but for the patch itself */
	{
		static const char one[] = "Subject: a\n\ndiff --git a/x b/x\n+1\n";
		static const char reworded[] = "Subject: b c\n\nwhy\n\ndiff --git a/x b/x\n+1\n";
		static const char changed[] = "Subject: a\n\ndiff --git a/x b/x\n+2\n";
		const char *const texts[] = { one, reworded, changed };
		char *recipes[3];

		for (size_t i = 0; i < 3; i++) {
			const struct asset patch[] = {
				{ "patches/a/b.patch", texts[i], texts[i] + strlen(texts[i]) },
				{ NULL, NULL, NULL },
			};

			recipes[i] = recipe_hash(patch, "");
		}
		ck_assert_str_eq(recipes[0], recipes[1]);
		ck_assert_str_ne(recipes[0], recipes[2]);
		for (size_t i = 0; i < 3; i++)
			free(recipes[i]);
	}

	/* a kind's fragment is part of its own recipe only, what is left out of none */
	{
		cleanup_free char *debug = recipe_hash(assets, "debug"), *shorter = NULL;

		ck_assert_str_ne(debug, recipe);
		assets[1].end--;
		shorter = recipe_hash(assets, "debug");
		ck_assert_str_ne(shorter, debug);
	}
	assets[2].end--;
	other = recipe_hash(assets, "");
	ck_assert_str_eq(other, recipe);
	for (size_t i = 0; i < 5; i++) {
		cleanup_free char *changed = NULL;

		if (i == 1 || i == 2)
			continue;
		assets[i].end--;
		changed = recipe_hash(assets, "");
		ck_assert_msg(!str_eq(changed, recipe), "%s does not count", assets[i].name);
		assets[i].end++;
	}
}
END_TEST

START_TEST(sha256_of_nothing)
{
	struct hash h = { NULL };
	char hex[SHA256_HEX + 1];

	hash_start(&h);
	hash_end(&h, hex);
	hash_release(&h);
	ck_assert_str_eq(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}
END_TEST

#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_AB "aaaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define KEY_D "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
#define KEY_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static char *manifest_text(const char *key, const char *version, const char *recipe,
			   const char *fragments, unsigned int built)
{
	struct kernel_info k = {
		.key = (char *)key, .version = (char *)version, .source = (char *)"linux-source-7.3: a",
		.compiler = (char *)"gcc (Debian) 12: x", .fragments = (char *)fragments,
		.recipe = (char *)recipe, .size = 4, .built = built, .seconds = 230, .units = 1001,
	};
	struct strbuf text = STRBUF_INIT;

	manifest_format(&k, &text);
	return sb_steal(&text);
}

START_TEST(manifest_round_trip)
{
	cleanup_free char *text = manifest_text(KEY_A, "7.3.4", KEY_C, "debug x.config", 1700000000);
	cleanup_kernel_info struct kernel_info k = KERNEL_INFO_INIT;
	struct error e = ERROR_INIT;

	ck_ok(manifest_parse(text, &k, &e), &e);
	ck_assert_str_eq(k.key, KEY_A);
	ck_assert_str_eq(k.version, "7.3.4");
	ck_assert_str_eq(k.source, "linux-source-7.3: a");
	ck_assert_str_eq(k.compiler, "gcc (Debian) 12: x");
	ck_assert_str_eq(k.fragments, "debug x.config");
	ck_assert_str_eq(k.recipe, KEY_C);
	ck_assert_uint_eq(k.size, 4);
	ck_assert_uint_eq(k.built, 1700000000);
	ck_assert_uint_eq(k.seconds, 230);
	ck_assert_uint_eq(k.units, 1001);
	kernel_info_release(&k);

	ck_fails(manifest_parse("Key: x\n", &k, &e), EBADMSG, "no Version", &e);
	kernel_info_release(&k);
	ck_fails(manifest_parse("garbage\n", &k, &e), EBADMSG, "Field: value", &e);
	*strstr(text, "Size: 4") = 'X';
	kernel_info_release(&k);
	ck_fails(manifest_parse(text, &k, &e), EBADMSG, "no Size", &e);
}
END_TEST

static void put_kernel(const char *key, const char *manifest, const char *binary)
{
	cleanup_free char *dir = xasprintf("%s/umlcage/kernels/%s", top, key);
	cleanup_free char *m = path_join(dir, "manifest"), *l = path_join(dir, "linux");

	ck_assert_int_eq(make_dirs(AT_FDCWD, dir, 0700, NULL), 0);
	if (manifest)
		ck_assert_int_eq(file_replace(AT_FDCWD, m, manifest, strlen(manifest), 0600, NULL), 0);
	ck_assert_int_eq(file_replace(AT_FDCWD, l, binary, strlen(binary), 0700, NULL), 0);
}

START_TEST(cache_finds_and_removes)
{
	cleanup_free char *recipe = recipe_hash(kernel_assets, "");
	cleanup_free char *old = manifest_text(KEY_A, "7.2.9", recipe, "", 30);
	cleanup_free char *new = manifest_text(KEY_AB, "7.2.10", recipe, "", 20);
	cleanup_free char *untested = manifest_text(KEY_D, "77.1.0", recipe, "", 50);
	cleanup_free char *other = manifest_text(KEY_C, "7.11.0", KEY_C, "", 40);
	struct kernel_info k = KERNEL_INFO_INIT;
	struct kernel_list l;
	struct error e = ERROR_INIT;

	ck_fails(kernel_find("", &k, &e), ENOENT, "no kernel", &e);
	put_kernel(KEY_C, other, "1234");
	ck_fails(kernel_find("", &k, &e), ENOENT, "no kernel", &e);
	put_kernel(KEY_A, old, "1234");
	put_kernel(KEY_AB, new, "1234");
	/* neither a torn one, nor one under a false name, nor one without a manifest */
	put_kernel("dddd", old, "1234");
	put_kernel("eeee", NULL, "1234");
	put_kernel(".build-x", old, "1234");

	ck_ok(kernel_list(&l, &e), &e);
	ck_assert_uint_eq(l.n, 3);
	ck_assert_str_eq(l.v[0].key, KEY_AB);
	ck_assert_str_eq(l.v[1].key, KEY_A);
	ck_assert_str_eq(l.v[2].key, KEY_C);
	ck_assert(l.v[1].current && !l.v[2].current);
	kernel_list_release(&l);

	ck_ok(kernel_find("", &k, &e), &e);
	ck_assert_str_eq(k.version, "7.2.10");
	kernel_info_release(&k);

	/* one that was built of an untested source is not the default, unless it is the only one */
	put_kernel(KEY_D, untested, "1234");
	ck_ok(kernel_find("", &k, &e), &e);
	ck_assert_str_eq(k.version, "7.2.10");
	kernel_info_release(&k);
	ck_fails(kernel_lookup("aaaa", &k, &e), ENOTUNIQ, "several", &e);
	ck_fails(kernel_lookup("", &k, &e), ENOENT, "no kernel", &e);
	ck_fails(kernel_lookup("f", &k, &e), ENOENT, "no kernel", &e);
	ck_ok(kernel_lookup("aaaaaaaab", &k, &e), &e);
	ck_ok(kernel_remove(&k, &e), &e);
	ck_assert_int_eq(access(k.dir, F_OK), -1);
	kernel_info_release(&k);

	/* a binary of another size than the manifest's is not trusted */
	put_kernel(KEY_A, NULL, "12345");
	ck_ok(kernel_find("", &k, &e), &e);
	ck_assert_str_eq(k.version, "77.1.0");
	kernel_info_release(&k);
	put_kernel(KEY_D, NULL, "12345");
	ck_fails(kernel_find("", &k, &e), ENOENT, "no kernel", &e);
}
END_TEST

START_TEST(recipes_made_with_the_program_are_those_of_its_files)
{
	ck_assert_str_eq(kernel_kinds[0].name, "");
	ck_assert_ptr_nonnull(kernel_kinds[1].name);
	for (const struct kernel_kind *k = kernel_kinds; k->name; k++) {
		cleanup_free char *recipe = recipe_hash(kernel_assets, k->name);

		ck_assert_str_eq(k->recipe, recipe);
		ck_assert_str_eq(recipe_of_kind(k->name), recipe);
	}
	ck_assert_str_eq(recipe_of_kind("full mine.config"), kernel_kinds[0].recipe);
}
END_TEST

START_TEST(kinds_are_found_by_their_name)
{
	cleanup_free char *base = recipe_hash(kernel_assets, "");
	cleanup_free char *full = recipe_hash(kernel_assets, "full");
	cleanup_free char *one = manifest_text(KEY_A, "7.3.1", full, "full", 30);
	cleanup_free char *stale = manifest_text(KEY_AB, "7.3.2", base, "full", 40);
	cleanup_free char *more = manifest_text(KEY_C, "7.3.3", base, "full mine.config", 50);
	struct kernel_info k = KERNEL_INFO_INIT;
	struct error e = ERROR_INIT;

	ck_assert(kernel_is_kind("full") && kernel_is_kind("debug"));
	ck_assert(!kernel_is_kind("base") && !kernel_is_kind("") && !kernel_is_kind("/bin/true"));
	put_kernel(KEY_AB, stale, "1234");
	put_kernel(KEY_C, more, "1234");
	ck_fails(kernel_find("full", &k, &e), ENOENT, "no full kernel", &e);
	put_kernel(KEY_A, one, "1234");
	ck_ok(kernel_find("full", &k, &e), &e);
	ck_assert_str_eq(k.key, KEY_A);
	kernel_info_release(&k);
	ck_fails(kernel_find("", &k, &e), ENOENT, "no kernel", &e);
}
END_TEST

START_TEST(files_that_are_no_kernel)
{
	cleanup_free char *text = path_join(top, "text"), *none = path_join(top, "none");
	struct kernel_info k = KERNEL_INFO_INIT;
	struct error e = ERROR_INIT;

	ck_assert_int_eq(file_replace(AT_FDCWD, text, "hello", 5, 0755, NULL), 0);
	ck_fails(kernel_inspect(none, &k, &e), ENOENT, "none", &e);
	ck_fails(kernel_inspect(text, &k, &e), ENOEXEC, "not a program", &e);
	ck_fails(kernel_inspect(top, &k, &e), ENOEXEC, "not a file", &e);
	/* a program that is none of ours */
	ck_fails(kernel_inspect("/bin/false", &k, &e), ENOEXEC, "not a UML kernel", &e);
	ck_fails(kernel_inspect("/bin/true", &k, &e), ENOEXEC, "not a UML kernel", &e);
	kernel_info_release(&k);
}
END_TEST

/* ---- the build's output ---- */

START_TEST(output_lines)
{
	const char *what = NULL;

	ck_assert(make_is_unit("  CC      fs/open.o", &what));
	ck_assert_str_eq(what, "fs/open.o");
	ck_assert(make_is_unit("  AS      arch/x86/um/setjmp_64.o", &what));
	ck_assert(!make_is_unit("  HOSTCC  scripts/basic/fixdep", &what));
	ck_assert(!make_is_unit("  AR      built-in.a", &what));
	ck_assert(!make_is_unit("  CC", &what));
	ck_assert(!make_is_unit("", &what));
	ck_assert(make_is_complaint("fs/x.c:3:1: error: expected ';'"));
	ck_assert(make_is_complaint("make[2]: *** [scripts/Makefile.build:1: x.o] Error 1"));
	ck_assert(make_is_complaint("1 out of 2 hunks FAILED"));
	ck_assert(!make_is_complaint("  CC      lib/errname.o"));
}
END_TEST

START_TEST(make_runs_and_says_why_not)
{
	static const char *const good[] = { "sh", "-c", "echo '  CC      a.o'; echo '  CC      b.o'",
					    NULL };
	static const char *const bad[] = { "sh", "-c", "echo x.c:1: error: no such luck; exit 2", NULL };
	static const char *const none[] = { "/nonexistent/make", NULL };
	cleanup_strv struct strv env = STRV_INIT;
	cleanup_strbuf struct strbuf log = STRBUF_INIT;
	cleanup_free char *path = path_join(top, "log"), *lock = path_join(top, "lock");
	struct error e = ERROR_INIT;
	cleanup_make struct make m = { .dir = top, .env = &env, .log = -1, .lock = -1 };

	strv_add(&env, "PATH=/usr/bin:/bin");
	m.log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	m.lock = lock_file(AT_FDCWD, lock, true, false, &e);
	ck_ok(m.lock, &e);
	ck_ok(make_run(&m, (char *const *)(uintptr_t)good, -1, &e), &e);
	ck_assert_uint_eq(m.units, 2);
	ck_fails(make_run(&m, (char *const *)(uintptr_t)bad, -1, &e), ENOEXEC, "no such luck", &e);
	ck_fails(make_run(&m, (char *const *)(uintptr_t)none, -1, &e), ENOENT, "/nonexistent/make", &e);
	close_fd(&m.log);
	close_fd(&m.lock);
	ck_ok(file_read(AT_FDCWD, path, 4096, &log, &e), &e);
	ck_assert_str_eq(sb_str(&log), "  CC      a.o\n  CC      b.o\nx.c:1: error: no such luck\n");
}
END_TEST

START_TEST(missing_tools_are_named_at_once)
{
	cleanup_tools struct tools t = TOOLS_INIT;
	struct error e = ERROR_INIT;

	unsetenv("CC");
	unsetenv("UMLCAGE_CC");
	setenv("PATH", top, 1);
	ck_assert_int_eq(tools_find(&t, &e), -ENOPKG);
	ck_assert_ptr_nonnull(strstr(err_text(&e), "make, ld, as"));
	ck_assert_ptr_nonnull(strstr(err_text(&e), "flex, bison, bc, patch"));
	ck_assert_ptr_nonnull(strstr(err_text(&e), "apt-get install make binutils flex bison bc patch"));
	ck_assert_ptr_nonnull(strstr(err_text(&e), "gcc"));
	err_release(&e);
	ck_fails(tools_check_space(top, UINT64_MAX, &e), ENOSPC, "free", &e);
	ck_ok(tools_check_space(top, 1, &e), &e);
}
END_TEST

START_TEST(environment_is_our_own)
{
	struct tools t = { .cc = (char *)"gcc" };
	cleanup_strv struct strv env = STRV_INIT, user = STRV_INIT;

	setenv("MAKEFLAGS", "-k", 1);
	setenv("KCFLAGS", "-O0", 1);
	setenv("HOME", "/home/x", 1);
	setenv("CCACHE_DIR", "/c", 1);
	tools_environment(&t, "/t", &env);
	for (size_t i = 0; i < env.n; i++)
		ck_assert_msg(str_starts(env.v[i], "PATH=") || str_starts(env.v[i], "KBUILD_BUILD_") ||
			      str_eq(env.v[i], "LC_ALL=C") || str_eq(env.v[i], "TMPDIR=/t"),
			      "%s", env.v[i]);
	t.from_user = true;
	tools_environment(&t, "/t", &user);
	ck_assert(strv_has(&user, "HOME=/home/x"));
	ck_assert(strv_has(&user, "CCACHE_DIR=/c"));
	for (size_t i = 0; i < user.n; i++)
		ck_assert(!str_starts(user.v[i], "MAKEFLAGS=") && !str_starts(user.v[i], "KCFLAGS="));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("kernel");
	TCase *tc = tcase_create("cache");

	tcase_add_checked_fixture(tc, make_top, remove_top);
	tcase_add_test(tc, keys_change_with_every_input);
	tcase_add_test(tc, sha256_of_nothing);
	tcase_add_test(tc, manifest_round_trip);
	tcase_add_test(tc, cache_finds_and_removes);
	tcase_add_test(tc, recipes_made_with_the_program_are_those_of_its_files);
	tcase_add_test(tc, kinds_are_found_by_their_name);
	tcase_add_test(tc, files_that_are_no_kernel);
	suite_add_tcase(s, tc);

	tc = tcase_create("build");
	tcase_add_checked_fixture(tc, make_top, remove_top);
	tcase_add_test(tc, output_lines);
	tcase_add_test(tc, make_runs_and_says_why_not);
	tcase_add_test(tc, missing_tools_are_named_at_once);
	tcase_add_test(tc, environment_is_our_own);
	suite_add_tcase(s, tc);
	return unit_run(s);
}

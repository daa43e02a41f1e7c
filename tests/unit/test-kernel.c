// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kernels without a build: fragments and their merge, lost symbols, what is left out
 * of a source, versions, keys, manifests, the reading of kbuild's output, unpacking
 * archives in archives, and the cache's folders.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel-config/assets.h"
#include "kernel-config/config.h"
#include "kernel-config/exclude.h"
#include "kernel-config/kernel.h"
#include "kernel-config/make.h"
#include "kernel-config/manifest.h"
#include "kernel-config/source.h"
#include "kernel-config/tools.h"
#include "kernel-config/tree.h"
#include "tests/support/unit.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/str.h"

static char top[64];

static void make_top(void)
{
	strcpy(top, "/tmp/test-kernel-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	setenv("XDG_CACHE_HOME", top, 1);
}

static void remove_top(void)
{
	ck_assert_int_eq(remove_tree(AT_FDCWD, top, NULL), 0);
}

/* ---- fragments ---- */

START_TEST(later_fragments_win)
{
	cleanup_config struct config c = CONFIG_INIT;
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	struct error e = ERROR_INIT;

	ck_ok(config_parse(&c, "# why\nCONFIG_A=y\nCONFIG_B=64\n\nCONFIG_C=\"fd:0,fd:1\"\n", "one",
			   NULL, &e), &e);
	ck_ok(config_parse(&c, "# CONFIG_A is not set\nCONFIG_D=m", "two", NULL, &e), &e);
	config_text(&c, &out);
	ck_assert_str_eq(sb_str(&out), "# CONFIG_A is not set\nCONFIG_B=64\nCONFIG_C=\"fd:0,fd:1\"\n"
			 "CONFIG_D=m\n");
	ck_assert_str_eq(c.v[0].file, "two");
	ck_assert_uint_eq(c.v[0].line, 1);
	ck_assert_str_eq(c.v[2].file, "one");
	ck_assert_uint_eq(c.v[2].line, 5);
}
END_TEST

static const char *const bad_fragments[] = {
	"CONFIG_A", "CONFIG_=y", "A=y", "CONFIG_A= y", "CONFIG_A=yes", "CONFIG_A=\"x", "CONFIG_A=\"x\"y",
	"CONFIG_A=0x", "CONFIG_A=", "# CONFIG_A B is not set", "CONFIG-A=y", "#? 7.3", "#? > 7.3", "#? <",
};

START_TEST(fragments_refused)
{
	cleanup_config struct config c = CONFIG_INIT;
	cleanup_free char *text = xasprintf("# first\n%s\n", bad_fragments[_i]);
	struct error e = ERROR_INIT;
	int ret = config_parse(&c, text, "mine", NULL, &e);

	ck_assert_msg(ret == -EINVAL, "'%s' was taken", bad_fragments[_i]);
	ck_assert(e.usage);
	ck_assert_msg(strstr(err_text(&e), "mine:2: "), "%s", err_text(&e));
	err_release(&e);
}
END_TEST

START_TEST(conditions_end_at_the_empty_line)
{
	static const char text[] = "CONFIG_A=y\n#? < 7.3\nCONFIG_OLD=y\nCONFIG_OLD2=y\n\nCONFIG_B=y\n"
				   "#? >= 7.3\nCONFIG_NEW=y\n";
	static const struct {
		const char *version, *names;
	} cases[] = {
		{ "7.2.12", "CONFIG_A CONFIG_OLD CONFIG_OLD2 CONFIG_B" },
		{ "7.3.0", "CONFIG_A CONFIG_B CONFIG_NEW" },
		{ "7.10.1", "CONFIG_A CONFIG_B CONFIG_NEW" },
		{ NULL, "CONFIG_A CONFIG_OLD CONFIG_OLD2 CONFIG_B CONFIG_NEW" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_config struct config c = CONFIG_INIT;
		cleanup_strv struct strv names = STRV_INIT;
		struct error e = ERROR_INIT;

		ck_ok(config_parse(&c, text, "x", cases[i].version, &e), &e);
		for (size_t j = 0; j < c.n; j++)
			strv_add(&names, c.v[j].name);

		cleanup_free char *got = strv_join(&names, " ");

		ck_assert_str_eq(got, cases[i].names);
	}
}
END_TEST

START_TEST(lost_symbols_are_named)
{
	cleanup_config struct config c = CONFIG_INIT;
	struct error e = ERROR_INIT;

	ck_ok(config_parse(&c, "CONFIG_KEPT=y\nCONFIG_GONE=y\nCONFIG_OFF=y\n# CONFIG_ON is not set\n"
			   "CONFIG_HEX=0x10\nCONFIG_TEXT=\"a\"\nCONFIG_N=64\n# CONFIG_ABSENT is not set\n",
			   "net.config", NULL, &e), &e);
	ck_ok(config_check(&c, "CONFIG_KEPT=y\nCONFIG_GONE=y\nCONFIG_OFF=y\nCONFIG_HEX=16\n"
			   "CONFIG_TEXT=\"a\"\nCONFIG_N=64\n", &e), &e);
	ck_assert_int_eq(config_check(&c, "CONFIG_KEPT=y\n# CONFIG_OFF is not set\nCONFIG_ON=y\n"
				      "CONFIG_HEX=0x11\nCONFIG_TEXT=\"a\"\nCONFIG_N=8\n", &e), -EINVAL);

	const char *text = err_text(&e);

	ck_assert_ptr_nonnull(strstr(text, "lost 5 wanted symbols"));
	ck_assert_ptr_nonnull(strstr(text, "CONFIG_GONE=y (net.config:2) became unknown"));
	ck_assert_ptr_nonnull(strstr(text, "CONFIG_OFF=y (net.config:3) became 'not set'"));
	ck_assert_ptr_nonnull(strstr(text, "CONFIG_ON=n (net.config:4) became y"));
	ck_assert_ptr_nonnull(strstr(text, "CONFIG_HEX=0x10 (net.config:5) became 0x11"));
	ck_assert_ptr_nonnull(strstr(text, "CONFIG_N=64 (net.config:7) became 8"));
	ck_assert_ptr_null(strstr(text, "KEPT"));
	ck_assert_ptr_null(strstr(text, "ABSENT"));
	err_release(&e);
}
END_TEST

START_TEST(our_own_fragments_parse)
{
	struct error e = ERROR_INIT;
	cleanup_config struct config c = CONFIG_INIT;

	for (size_t i = 0; manifest_fragments[i]; i++) {
		cleanup_free char *text = asset_text(manifest_fragments[i]);

		ck_assert_msg(text, "%s is not in the program", manifest_fragments[i]);
		ck_ok(config_parse(&c, text, manifest_fragments[i], NULL, &e), &e);
	}
	ck_assert_uint_gt(c.n, 100);
	ck_assert_ptr_null(asset_text("no-such-thing"));

	/* every symbol has its reason: a comment stands above it or above its group */
	for (const struct asset *a = kernel_assets; a->name; a++) {
		bool reason = false, first = true;

		if (!str_ends(a->name, ".config"))
			continue;

		cleanup_free char *text = asset_text(a->name);

		for (char *p = text, *nl; *p; p = nl + 1) {
			nl = strchr(p, '\n');
			ck_assert_ptr_nonnull(nl);
			*nl = '\0';
			if (!*p)
				reason = first = false;
			else if (str_starts(p, "# ") && !str_ends(p, " is not set"))
				reason = true;
			else if (!str_starts(p, "#?"))
				ck_assert_msg(reason || str_eq(p, "CONFIG_NET=y") ||
					      str_eq(p, "CONFIG_HUMFS=y") ||
					      str_eq(p, "CONFIG_DEBUG_KERNEL=y"), "%s: %s", a->name, p);
		}
		ck_assert(!first);
	}
}
END_TEST

START_TEST(versions)
{
	static const char *const rising[] = {
		"6.19", "7.2", "7.2.1", "7.2.12", "7.3", "7.3.4-1~bpo13+1", "7.10", "7.10.1", "10.0",
	};

	for (size_t i = 0; i < ARRAY_SIZE(rising); i++)
		for (size_t j = 0; j < ARRAY_SIZE(rising); j++) {
			int want = i < j ? -1 : i > j, got = version_compare(rising[i], rising[j]);

			ck_assert_msg((got > 0) - (got < 0) == want, "%s against %s: %d", rising[i],
				      rising[j], got);
		}
	ck_assert_int_eq(version_compare("7.3", "7.3.0"), 0);

	cleanup_free char *v = source_version("# SPDX\nVERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 4\n"
					      "EXTRAVERSION =\nNAME = x\n");
	cleanup_free char *rc = source_version("VERSION = 7\nPATCHLEVEL = 4\nSUBLEVEL = 0\n"
					       "EXTRAVERSION = -rc3\n");

	ck_assert_str_eq(v, "7.3.4");
	ck_assert_str_eq(rc, "7.4.0-rc3");
	ck_assert_ptr_null(source_version("all:\n\tcc x.c\n"));
	ck_assert_ptr_null(source_version(""));
}
END_TEST

/* ---- what is left out ---- */

START_TEST(exclusion_first_match_wins)
{
	cleanup_exclude struct exclude x = EXCLUDE_INIT;
	struct error e = ERROR_INIT;
	static const struct {
		const char *path;
		bool out;
	} cases[] = {
		{ "Makefile", false }, { "drivers/net/tun.c", false }, { "drivers/net/phy/x.c", true },
		{ "drivers/gpu/drm/amd/Kconfig", false }, { "drivers/gpu/drm/amd/Kconfig.debug", false },
		{ "drivers/gpu/drm/amd/x.c", true }, { "drivers/net", true }, { "drivers/base/a/b.c", false },
		{ "drivers/basement.c", true }, { "driversx/a.c", false },
	};

	ck_ok(exclude_parse(&x, "# c\n+ drivers/**/Kconfig*\n\n+ drivers/base\n+ drivers/net/*.[ch]\n"
			    "- drivers\n+ drivers/gpu\n", "x", &e), &e);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_msg(exclude_match(&x, cases[i].path) == cases[i].out, "%s", cases[i].path);
	ck_fails(exclude_parse(&x, "+ a\ndrivers\n", "list", &e), EINVAL, "list:2: ", &e);
}
END_TEST

START_TEST(our_own_exclusions)
{
	cleanup_exclude struct exclude x = EXCLUDE_INIT;
	cleanup_free char *text = asset_text("exclude");
	struct error e = ERROR_INIT;
	static const char *const kept[] = {
		"Makefile", "arch/um/drivers/vector_kern.c", "arch/x86/um/syscalls_64.c", "fs/ext4/inode.c",
		"arch/x86/include/asm/page.h", "drivers/block/loop.c", "drivers/gpu/drm/i915/Kconfig.debug",
		"arch/arm/crypto/Kconfig", "drivers/net/tun.c", "scripts/kconfig/conf.c", "net/core/dev.c",
		"arch/x86/entry/syscalls/syscall_64.tbl", "drivers/base/core.c", "Documentation/Kconfig",
	};
	static const char *const out[] = {
		"Documentation/admin-guide/README.rst", "drivers/gpu/drm/i915/i915_drv.c", "sound/core/pcm.c",
		"arch/arm/mm/fault.c", "arch/x86/kvm/x86.c", "tools/perf/builtin-top.c",
		"drivers/net/ethernet/intel/e1000e/netdev.c", "samples/bpf/x.c",
	};

	ck_ok(exclude_parse(&x, text, "exclude", &e), &e);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		ck_assert_msg(!exclude_match(&x, kept[i]), "%s is left out", kept[i]);
	for (size_t i = 0; i < ARRAY_SIZE(out); i++)
		ck_assert_msg(exclude_match(&x, out[i]), "%s is kept", out[i]);
}
END_TEST

/* ---- keys and manifests ---- */

START_TEST(keys_change_with_every_input)
{
	static const char a_data[] = "aaa", b_data[] = "bbb";
	struct asset assets[] = {
		{ "base.config", a_data, a_data + 3 }, { "debug.config", b_data, b_data + 3 },
		{ "exclude", b_data, b_data + 3 }, { "humfs/x.c", a_data, a_data + 2 },
		{ "patches/1.patch", b_data, b_data + 3 }, { NULL, NULL, NULL },
	};
	cleanup_free char *recipe = manifest_recipe(assets), *other;
	cleanup_free char *key = manifest_key(recipe, "s", "gcc 12", ""), *again;
	static const char *const inputs[][4] = {
		{ "R", "s", "gcc 12", "" }, { NULL, "t", "gcc 12", "" }, { NULL, "s", "gcc 13", "" },
		{ NULL, "s", "gcc 12", "CONFIG_A=y\n" }, { NULL, "sg", "cc 12", "" },
	};

	ck_assert_uint_eq(strlen(recipe), 64);
	ck_assert_uint_eq(strlen(key), 64);
	again = manifest_key(recipe, "s", "gcc 12", "");
	ck_assert_str_eq(key, again);
	for (size_t i = 0; i < ARRAY_SIZE(inputs); i++) {
		cleanup_free char *k = manifest_key(inputs[i][0] ? inputs[i][0] : recipe, inputs[i][1],
						    inputs[i][2], inputs[i][3]);

		ck_assert_str_ne(k, key);
	}

	/* what is asked for with --config, and what is left out, are no part of the recipe */
	assets[1].end--;
	assets[2].end--;
	other = manifest_recipe(assets);
	ck_assert_str_eq(other, recipe);
	for (size_t i = 0; i < 5; i++) {
		cleanup_free char *changed = NULL;

		if (i == 1 || i == 2)
			continue;
		assets[i].end--;
		changed = manifest_recipe(assets);
		ck_assert_msg(!str_eq(changed, recipe), "%s does not count", assets[i].name);
		assets[i].end++;
	}
}
END_TEST

START_TEST(sha256_of_nothing)
{
	cleanup_free char *hex = digest_end(digest_new());

	ck_assert_str_eq(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}
END_TEST

#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_AB "aaaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
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
	cleanup_free char *recipe = manifest_recipe(kernel_assets);
	cleanup_free char *old = manifest_text(KEY_A, "7.2.9", recipe, "", 30);
	cleanup_free char *new = manifest_text(KEY_AB, "7.10.0", recipe, "", 20);
	cleanup_free char *other = manifest_text(KEY_C, "7.11.0", KEY_C, "", 40);
	struct kernel_info k = KERNEL_INFO_INIT;
	struct kernel_list l;
	struct error e = ERROR_INIT;

	ck_fails(kernel_find(&k, &e), ENOENT, "no kernel", &e);
	put_kernel(KEY_C, other, "1234");
	ck_fails(kernel_find(&k, &e), ENOENT, "no kernel", &e);
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

	ck_ok(kernel_find(&k, &e), &e);
	ck_assert_str_eq(k.version, "7.10.0");
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
	ck_fails(kernel_find(&k, &e), ENOENT, "no kernel", &e);
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
	ck_fails(kernel_inspect("/bin/false", &k, &e), ENOEXEC, "no UML kernel", &e);
	ck_fails(kernel_inspect("/bin/true", &k, &e), ENOEXEC, "no UML kernel", &e);
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

/* ---- sources ---- */

struct entry {
	const char *path, *content;	/* content NULL: a folder; "->x": a link */
	mode_t mode;
};

/* Writes @entries as an archive of @format into memory. */
static int pack(const char *filter, bool ar, const struct entry *entries, size_t n,
		const void *blob, size_t blob_len)
{
	cleanup_free char *path = xasprintf("%s/pack-XXXXXX", top);
	int fd = mkstemp(path);
	struct archive *a = archive_write_new();

	ck_assert_int_ge(fd, 0);
	unlink(path);
	if (ar)
		archive_write_set_format_ar_svr4(a);
	else
		archive_write_set_format_ustar(a);
	if (!str_eq(filter, "none"))
		ck_assert_int_eq(archive_write_add_filter_by_name(a, filter), ARCHIVE_OK);
	ck_assert_int_eq(archive_write_open_fd(a, fd), ARCHIVE_OK);
	for (size_t i = 0; i < n; i++) {
		struct archive_entry *entry = archive_entry_new();
		const char *content = entries[i].content;
		bool link = content && str_starts(content, "->");
		const void *data = content && !*content ? blob : content;
		size_t len = content && !*content ? blob_len : content ? strlen(content) : 0;

		archive_entry_set_pathname(entry, entries[i].path);
		archive_entry_set_mode(entry, (content ? link ? S_IFLNK : S_IFREG : S_IFDIR) |
				       entries[i].mode);
		if (link)
			archive_entry_set_symlink(entry, content + 2);
		archive_entry_set_size(entry, link || !content ? 0 : (la_int64_t)len);
		ck_assert_int_eq(archive_write_header(a, entry), ARCHIVE_OK);
		if (content && !link)
			ck_assert_int_eq(archive_write_data(a, data, len), (int)len);
		archive_entry_free(entry);
	}
	archive_write_free(a);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static const struct entry linux_entries[] = {
	{ "linux-source-7.3/", NULL, 0755 },
	{ "linux-source-7.3/Makefile", "VERSION = 7\nPATCHLEVEL = 3\n", 0644 },
	{ "linux-source-7.3/scripts/run.sh", "#!/bin/sh\n", 0775 },
	{ "linux-source-7.3/drivers/gpu/x.c", "no", 0644 },
	{ "linux-source-7.3/fs/a/b/c.c", "deep", 0644 },
	{ "linux-source-7.3/fs/link", "->a/b/c.c", 0777 },
};

static int unpack_into(const char *name, int fd, struct error *e)
{
	cleanup_free char *dir = path_join(top, name);
	cleanup_exclude struct exclude x = EXCLUDE_INIT;
	cleanup_tree struct tree t = TREE_INIT;
	cleanup_close int at = -1;

	ck_assert_int_eq(exclude_parse(&x, "- drivers\n", "x", NULL), 0);
	ck_assert_int_eq(make_dirs(AT_FDCWD, dir, 0700, NULL), 0);
	at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	t.fd = at;
	t.exclude = &x;
	return tree_unpack(&t, fd, name, e);
}

static void check_tree(const char *name)
{
	cleanup_free char *dir = path_join(top, name);
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_close int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	ck_assert_int_eq(file_read(at, "fs/a/b/c.c", 100, &text, NULL), 0);
	ck_assert_str_eq(sb_str(&text), "deep");
	ck_assert_int_eq(fstatat(at, "scripts/run.sh", &st, 0), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0755);
	ck_assert_int_eq(fstatat(at, "fs/link", &st, AT_SYMLINK_NOFOLLOW), 0);
	ck_assert(S_ISLNK(st.st_mode));
	ck_assert_int_eq(faccessat(at, "drivers", F_OK, 0), -1);
}

START_TEST(unpack_tarball_and_package)
{
	struct error e = ERROR_INIT;
	cleanup_close int tar = pack("xz", false, linux_entries, ARRAY_SIZE(linux_entries), NULL, 0);
	struct strbuf blob = STRBUF_INIT, data = STRBUF_INIT;

	ck_ok(unpack_into("tar", tar, &e), &e);
	check_tree("tar");

	/* the same in a data.tar.xz in a .deb */
	lseek(tar, 0, SEEK_SET);
	ck_assert_int_eq(fd_read_all(tar, 1 << 20, &blob), 0);

	const struct entry inner[] = {
		{ "./usr/share/doc/x", "y", 0644 }, { "./usr/src/linux-source-7.3.tar.xz", "", 0644 },
	};
	cleanup_close int data_fd = pack("xz", false, inner, 2, blob.s, blob.len);

	ck_assert_int_eq(fd_read_all(data_fd, 1 << 20, &data), 0);

	const struct entry members[] = {
		{ "debian-binary", "2.0\n", 0644 }, { "control.tar.xz", "junk", 0644 },
		{ "data.tar.xz", "", 0644 },
	};
	cleanup_close int deb = pack("none", true, members, 3, data.s, data.len);
	cleanup_close int bare = pack("none", true, members, 2, NULL, 0);
	cleanup_close int wrong = pack("none", true, members, 3, blob.s, blob.len);

	ck_ok(unpack_into("deb", deb, &e), &e);
	check_tree("deb");
	ck_fails(unpack_into("bare", bare, &e), EBADMSG, "no linux-source package", &e);
	ck_fails(unpack_into("wrong", wrong, &e), EBADMSG, "no linux-source package", &e);

	/* cut short, it says so */
	ck_assert_int_eq(ftruncate(deb, (off_t)data.len / 2), 0);
	lseek(deb, 0, SEEK_SET);
	ck_assert_int_lt(unpack_into("cut", deb, &e), 0);
	ck_assert_ptr_nonnull(strstr(err_text(&e), "cannot unpack 'cut'"));
	err_release(&e);
	sb_release(&blob);
	sb_release(&data);
}
END_TEST

START_TEST(nothing_leaves_the_tree)
{
	static const struct entry evil[][2] = {
		{ { "l/../../escape", "x", 0644 }, { "l/a", "x", 0644 } },
		{ { "l/link", "->..", 0777 }, { "l/link/escape", "x", 0644 } },
		{ { "l//etc/escape", "x", 0644 }, { "l/a", "x", 0644 } },
		{ { "l/f", "->../escape", 0777 }, { "l/f", "x", 0644 } },
	};
	cleanup_free char *escape = path_join(top, "escape");
	cleanup_free char *dir = xasprintf("evil%d", _i);
	cleanup_close int fd = pack("none", false, evil[_i], 2, NULL, 0);
	struct error e = ERROR_INIT;

	ck_assert_int_lt(unpack_into(dir, fd, &e), 0);
	ck_assert_int_eq(access(escape, F_OK), -1);
	err_release(&e);
}
END_TEST

START_TEST(copying_leaves_the_build_behind)
{
	static const char *const files[] = {
		"src/Makefile", "src/fs/open.c", "src/fs/open.o", "src/fs/.open.o.cmd", "src/.config",
		"src/include/generated/x.h", "src/include/linux/x.h", "src/drivers/gpu/x.c",
	};
	cleanup_free char *src = path_join(top, "src"), *dst = path_join(top, "dst"), *id = NULL;
	cleanup_free char *again = NULL, *changed = NULL;
	cleanup_exclude struct exclude x = EXCLUDE_INIT;
	cleanup_tree struct tree t = TREE_INIT;
	cleanup_close int top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC), at = -1;
	struct error e = ERROR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		cleanup_free char *parent = xstrdup(files[i]);

		*strrchr(parent, '/') = '\0';
		ck_ok(make_dirs(top_fd, parent, 0755, &e), &e);
		ck_ok(file_replace(top_fd, files[i], "text", 4, 0644, &e), &e);
	}
	ck_ok(make_dirs(top_fd, "dst", 0755, &e), &e);
	ck_ok(exclude_parse(&x, "- drivers\n", "x", &e), &e);
	at = open(dst, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	t.fd = at;
	t.exclude = &x;
	ck_ok(tree_copy(&t, src, &e), &e);
	ck_assert_uint_eq(t.files, 3);
	ck_assert_int_eq(faccessat(at, "fs/open.c", F_OK, 0), 0);
	ck_assert_int_eq(faccessat(at, "include/linux/x.h", F_OK, 0), 0);

	/* the identity follows what would be copied, and nothing else */
	ck_ok(tree_identity(&x, src, &id, &e), &e);
	ck_ok(file_replace(top_fd, "src/fs/open.o", "other", 5, 0644, &e), &e);
	ck_ok(file_replace(top_fd, "src/drivers/gpu/x.c", "other", 5, 0644, &e), &e);
	ck_ok(tree_identity(&x, src, &again, &e), &e);
	ck_assert_str_eq(id, again);
	ck_ok(file_replace(top_fd, "src/fs/open.c", "other", 5, 0644, &e), &e);
	ck_ok(tree_identity(&x, src, &changed, &e), &e);
	ck_assert_str_ne(id, changed);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("kernel");
	TCase *tc = tcase_create("config");

	tcase_add_test(tc, later_fragments_win);
	tcase_add_loop_test(tc, fragments_refused, 0, ARRAY_SIZE(bad_fragments));
	tcase_add_test(tc, conditions_end_at_the_empty_line);
	tcase_add_test(tc, lost_symbols_are_named);
	tcase_add_test(tc, our_own_fragments_parse);
	tcase_add_test(tc, versions);
	suite_add_tcase(s, tc);

	tc = tcase_create("exclude");
	tcase_add_test(tc, exclusion_first_match_wins);
	tcase_add_test(tc, our_own_exclusions);
	suite_add_tcase(s, tc);

	tc = tcase_create("cache");
	tcase_add_checked_fixture(tc, make_top, remove_top);
	tcase_add_test(tc, keys_change_with_every_input);
	tcase_add_test(tc, sha256_of_nothing);
	tcase_add_test(tc, manifest_round_trip);
	tcase_add_test(tc, cache_finds_and_removes);
	tcase_add_test(tc, files_that_are_no_kernel);
	suite_add_tcase(s, tc);

	tc = tcase_create("build");
	tcase_add_checked_fixture(tc, make_top, remove_top);
	tcase_add_test(tc, output_lines);
	tcase_add_test(tc, make_runs_and_says_why_not);
	tcase_add_test(tc, missing_tools_are_named_at_once);
	tcase_add_test(tc, environment_is_our_own);
	suite_add_tcase(s, tc);

	tc = tcase_create("source");
	tcase_add_checked_fixture(tc, make_top, remove_top);
	tcase_add_test(tc, unpack_tarball_and_package);
	tcase_add_loop_test(tc, nothing_leaves_the_tree, 0, 4);
	tcase_add_test(tc, copying_leaves_the_build_behind);
	suite_add_tcase(s, tc);
	return unit_run(s);
}

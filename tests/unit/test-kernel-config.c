// SPDX-License-Identifier: GPL-2.0-or-later
/* What a kernel is configured with: fragments and their merge, lost symbols, what is left out. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel-config/assets.h"
#include "kernel-config/choose.h"
#include "kernel-config/config.h"
#include "kernel-config/exclude.h"
#include "kernel-config/kernel.h"
#include "kernel-config/manifest.h"
#include "kernel-config/recipe.h"
#include "kernel-config/source.h"
#include "tests/support/unit.h"
#include "umlcage/base/str.h"

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
	ck_assert(e.kind == ERR_USAGE);
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

	for (size_t i = 0; recipe_fragments[i]; i++) {
		cleanup_free char *text = asset_text(recipe_fragments[i]);

		ck_assert_msg(text, "%s is not in the program", recipe_fragments[i]);
		ck_ok(config_parse(&c, text, recipe_fragments[i], NULL, &e), &e);
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

START_TEST(tested_versions)
{
	static const struct {
		const char *version;
		enum kernel_fit fit;
	} cases[] = {
		{ "6.19.30", KERNEL_TOO_OLD }, { "7.1.99-1", KERNEL_TOO_OLD }, { "7.2", KERNEL_TESTED },
		{ "7.2.0-rc1", KERNEL_TESTED }, { "7.2~rc3-1~exp1", KERNEL_TESTED },
		{ KERNEL_NEWEST, KERNEL_TESTED }, { KERNEL_NEWEST ".0", KERNEL_TESTED },
		{ KERNEL_NEWEST ".99-1~bpo13+1", KERNEL_TESTED }, { "7.30.1", KERNEL_UNTESTED },
		{ "8.0-1", KERNEL_UNTESTED }, { "10", KERNEL_UNTESTED },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_msg(kernel_fit(cases[i].version) == cases[i].fit, "%s", cases[i].version);
	ck_assert_int_le(version_compare(KERNEL_OLDEST, KERNEL_NEWEST), 0);
	ck_assert(is_linux_series("7.2"));
	ck_assert(!is_linux_series("7"));
	ck_assert(!is_linux_series("7."));
	ck_assert(!is_linux_series("7.2.1"));
	ck_assert(!is_linux_series("7.2x"));
	ck_assert(!is_linux_series("sid"));
	ck_assert(!is_linux_series(""));
}
END_TEST

START_TEST(choosing_a_version)
{
	static const struct {
		const char *shown, *series;
		bool newer;
		const char *best;
	} cases[] = {
		/* the day a newer one appears changes nothing */
		{ "7.3.4-1~bpo13+1 7.2.13-1", NULL, false, "7.3.4-1~bpo13+1" },
		{ "7.2.13-1 7.4.1-1 7.3.4-1~bpo13+1", NULL, false, "7.3.4-1~bpo13+1" },
		{ "7.3.4-1~bpo13+1 7.3.4-1 7.3.3-9", NULL, false, "7.3.4-1" },
		{ "7.3.9-1 7.3.10-1", NULL, false, "7.3.10-1" },
		/* unless it is asked for, one way or the other */
		{ "7.2.13-1 7.4.1-1 7.3.4-1", NULL, true, "7.4.1-1" },
		{ "7.2.13-1 7.4.1-1 7.3.4-1", "7.4", false, "7.4.1-1" },
		{ "7.2.13-1 7.4.1-1 7.3.4-1", "7.2", false, "7.2.13-1" },
		/* nothing to take */
		{ "7.4.1-1 8.0-1", NULL, false, NULL },
		{ "7.4.1-1", "7.3", false, NULL },
		{ "6.12.9-1 7.1.2-1", NULL, true, NULL },
		{ "6.12.9-1", "6.12", true, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_choice struct choice c = CHOICE_INIT;
		cleanup_strv struct strv shown = STRV_INIT;

		c.series = cases[i].series;
		c.newer = cases[i].newer;
		strv_split(&shown, cases[i].shown, " ");
		for (size_t j = 0; j < shown.n; j++)
			(void)choose(&c, shown.v[j]);
		if (cases[i].best)
			ck_assert_str_eq(c.best, cases[i].best);
		else
			ck_assert_ptr_null(c.best);
	}
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

int main(void)
{
	Suite *s = suite_create("kernel-config");
	TCase *tc = tcase_create("config");

	tcase_add_test(tc, later_fragments_win);
	tcase_add_loop_test(tc, fragments_refused, 0, ARRAY_SIZE(bad_fragments));
	tcase_add_test(tc, conditions_end_at_the_empty_line);
	tcase_add_test(tc, lost_symbols_are_named);
	tcase_add_test(tc, our_own_fragments_parse);
	tcase_add_test(tc, versions);
	tcase_add_test(tc, tested_versions);
	tcase_add_test(tc, choosing_a_version);
	suite_add_tcase(s, tc);

	tc = tcase_create("exclude");
	tcase_add_test(tc, exclusion_first_match_wins);
	tcase_add_test(tc, our_own_exclusions);
	suite_add_tcase(s, tc);
	return unit_run(s);
}

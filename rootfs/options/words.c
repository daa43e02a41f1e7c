// SPDX-License-Identifier: GPL-2.0-or-later
/* Arguments that are words of a list: variants, formats, modes, the steps of --skip. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "rootfs/options/private.h"

/* Names with a number; ends with NULL. */
struct word {
	const char *name;
	int number;
};

static const struct word variants[] = {
	/* the first of each number is its own name */
	{ "extract", FAB_EXTRACT }, { "custom", FAB_CUSTOM }, { "essential", FAB_ESSENTIAL },
	{ "apt", FAB_APT }, { "minbase", FAB_REQUIRED }, { "required", FAB_REQUIRED },
	{ "buildd", FAB_BUILDD }, { "important", FAB_IMPORTANT }, { "debootstrap", FAB_IMPORTANT },
	{ "-", FAB_IMPORTANT }, { "standard", FAB_STANDARD }, { NULL, 0 },
};

static const struct word modes[] = {
	{ "auto", 0 }, { "sudo", 0 }, { "root", 0 }, { "unshare", 0 }, { "fakeroot", 0 },
	{ "fakechroot", 0 }, { "proot", 0 }, { "chrootless", 0 }, { NULL, 0 },
};

/* All of mmdebstrap's; some have nothing to skip here, see umlcage/doc/mmdebstrap. */
enum { UNSUPPORTED = 1 };

static const struct word steps[] = {
	{ "check", 0 }, { "check/chrootless", 0 }, { "check/empty", 0 }, { "check/qemu", 0 },
	{ "check/signed-by", 0 }, { "chroot", 0 }, { "chroot/mount", 0 },
	{ "chroot/mount/dev", 0 }, { "chroot/mount/proc", 0 }, { "chroot/mount/sys", 0 },
	{ "chroot/policy-rc.d", 0 }, { "chroot/start-stop-daemon", 0 }, { "chrootless", 0 },
	{ "cleanup", 0 }, { "cleanup/apt", 0 }, { "cleanup/apt/cache", 0 },
	{ "cleanup/apt/lists", 0 }, { "cleanup/dev", 0 }, { "cleanup/mmdebstrap", 0 },
	{ "cleanup/reproducible", 0 }, { "cleanup/reproducible/machine-id", 0 },
	{ "cleanup/run", 0 }, { "cleanup/tmp", 0 }, { "copy-in/mknod", 0 },
	{ "download/empty", 0 }, { "essential/unlink", UNSUPPORTED }, { "output", 0 }, { "output/dev", 0 },
	{ "output/mknod", 0 }, { "setup", 0 }, { "sync-in/mknod", 0 }, { "tar-in/mknod", 0 },
	{ "update", 0 }, { "zombie-reaping", 0 }, { NULL, 0 },
};

/* The word's number into *@number; or an error with the nearest word, or with all. */
static int find(const struct word *words, const char *what, const char *name, int *number,
		struct error *e)
{
	cleanup_strv struct strv all = STRV_INIT;
	cleanup_free char *text = NULL;
	const char *meant;

	for (const struct word *w = words; w->name; w++) {
		if (strcasecmp(w->name, name) == 0) {
			*number = w->number;
			return 0;
		}
		strv_add(&all, w->name);
	}
	meant = str_closest(name, (const char *const *)strv_argv(&all));
	if (meant)
		return err_usage(e, "there is no %s '%s'; did you mean '%s'?", what, name, meant);
	text = strv_join(&all, ", ");
	return err_usage(e, "there is no %s '%s'; there are %s", what, name, text);
}

int fab_variant_parse(const char *name, enum fab_variant *variant)
{
	int number, ret = find(variants, "variant", name, &number, NULL);

	if (ret == 0)
		*variant = (enum fab_variant)number;
	return ret;
}

const char *fab_variant_name(enum fab_variant variant)
{
	for (const struct word *w = variants; w->name; w++)
		if (w->number == (int)variant)
			return w->name;
	return "?";
}

int fab_options_variant(struct fab_options *o, const char *arg, struct error *e)
{
	int number, ret = find(variants, "variant", arg, &number, e);

	if (ret == 0)
		o->variant = (enum fab_variant)number;
	return ret;
}

int fab_options_mode(const char *arg, struct error *e)
{
	int number;

	return find(modes, "mode", arg, &number, e);
}

int fab_options_skip(struct fab_options *o, const char *arg, struct error *e)
{
	cleanup_strv struct strv words = STRV_INIT;
	int number, ret = 0;

	strv_split(&words, arg, ", \t\n");
	for (size_t i = 0; i < words.n && ret == 0; i++) {
		ret = find(steps, "step", words.v[i], &number, e);
		if (ret == 0 && number == UNSUPPORTED)
			return err_usage(e, "'%s' is not supported: packages never lie in the tree "
					 "before they are unpacked", words.v[i]);
		if (ret == 0 && !strv_has(&o->skip, words.v[i]))
			strv_add(&o->skip, words.v[i]);
	}
	return ret;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* What a build may be asked for: see debbuild.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "rootfs/debbuild/private.h"

#define OWN(field, kind) OPT_##kind(struct debbuild, field)

static int opt_words(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	cleanup_strv struct strv words = STRV_INIT;
	struct strv *out = value;

	strv_split(&words, arg, ", \t\n");
	for (size_t i = 0; i < words.n; i++) {
		if (words.v[i][strspn(words.v[i], "abcdefghijklmnopqrstuvwxyz0123456789-.+")])
			return err_usage(e, "--%s: '%s' is not the name of a profile", opt->name, words.v[i]);
		if (!strv_has(out, words.v[i]))
			strv_add(out, words.v[i]);
	}
	return 0;
}

static int opt_extra(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	cleanup_free char *path = realpath(arg, NULL);
	struct stat st;

	(void)opt;
	if (!path || stat(path, &st) < 0)
		return err_sys(e, errno, "--extra-package: cannot open '%s'", arg);
	if (!S_ISREG(st.st_mode))
		return err_usage(e, "--extra-package: '%s' is not a file", arg);
	strv_take(value, steal_ptr(&path));
	return 0;
}

/* ---- what is built ---- */

static const struct {
	const char *name;
	unsigned int types;
} types[] = {
	{ "binary", BUILD_BINARY }, { "full", BUILD_FULL }, { "source", BUILD_SOURCE },
	{ "any", BUILD_ANY }, { "all", BUILD_ALL }, { "source,any", BUILD_SOURCE | BUILD_ANY },
	{ "source,all", BUILD_SOURCE | BUILD_ALL },
};

const char *debbuild_type_name(const struct debbuild *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i].types == b->types)
			return types[i].name;
	return "binary";
}

/* dpkg-buildpackage's --build. */
static int opt_types(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	cleanup_strv struct strv words = STRV_INIT;
	unsigned int *out = value;

	strv_split(&words, arg, ", ");
	*out = 0;
	for (size_t i = 0; i < words.n; i++) {
		size_t k = 0;

		while (k < ARRAY_SIZE(types) && !str_eq(types[k].name, words.v[i]))
			k++;
		if (k == ARRAY_SIZE(types))
			return err_usage(e, "--%s: '%s' is not one of full, source, binary, any, all",
					 opt->name, words.v[i]);
		*out |= types[k].types;
	}
	return *out ? 0 : err_usage(e, "--%s: name what is to be built: full, source, binary, any, all",
				    opt->name);
}

static int opt_append(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	const char **out = value;

	if (!*arg || arg[strspn(arg, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+~")])
		return err_usage(e, "--%s: '%s' cannot be a part of a version: that has letters, digits, "
				 "'.', '+' and '~'", opt->name, arg);
	*out = arg;
	return 0;
}

static int settle_nmu(struct debbuild *b, struct error *e)
{
	if (b->binnmu_why && !b->binnmu && !b->append)
		return err_usage(e, "--make-binNMU needs the number of the upload: --binNMU N");
	if (b->binnmu && !b->binnmu_why)
		return err_usage(e, "--binNMU needs what its changelog says: --make-binNMU 'Rebuild for "
				 "...'");
	if (b->binnmu && b->types & ~BUILD_ANY)
		return err_usage(e, "--binNMU: a binary-only upload has packages for one architecture "
				 "alone (--build any)");
	if (b->append && b->types & BUILD_SOURCE)
		return err_usage(e, "--append-to-version: the source keeps its version; build 'binary', "
				 "'any' or 'all'");
	return 0;
}

int debbuild_settle(struct debbuild *b, struct error *e)
{
	if (b->arch_only + b->indep + (b->types != 0) > 1)
		return err_usage(e, "--arch-only, --indep and --build exclude each other");
	if (!b->types)
		b->types = b->indep ? BUILD_ALL : b->arch_only || b->binnmu ? BUILD_ANY : BUILD_BINARY;
	if (b->arch && str_eq(b->arch, debian_native_architecture()))
		b->arch = NULL;
	if (b->arch && b->root)
		return err_usage(e, "--arch: the root that --root names has an architecture of its own");
	if (b->arch)
		strv_add(&b->fab.architectures, b->arch);
	return settle_nmu(b, e);
}

const struct opt debbuild_what_opts[] = {
	{ OPT_CALL, 0, "build", "TYPES", OWN(types, UNSIGNED),
	  "full, source, binary, any, all, or several: as of dpkg-buildpackage (default: binary)",
	  opt_types },
	{ OPT_FLAG, 0, "arch-only", NULL, OWN(arch_only, BOOL),
	  "only packages for one architecture: --build any" },
	{ OPT_FLAG, 0, "indep", NULL, OWN(indep, BOOL),
	  "only packages for all architectures: --build all" },
	{ OPT_STRING, 'a', "arch", "ARCH", OWN(arch, STR),
	  "build for and on that architecture; another one than this machine's is emulated" },
	{ OPT_UINT, 0, "binNMU", "N", OWN(binnmu, UNSIGNED),
	  "a binary-only upload: the version of the packages gets +bN" },
	{ OPT_STRING, 0, "make-binNMU", "TEXT", OWN(binnmu_why, STR),
	  "why, for its changelog" },
	{ OPT_CALL, 0, "append-to-version", "TEXT", OWN(append, STR),
	  "the version of the packages gets TEXT: +local1, ~bpo12+1", opt_append },
	{ OPT_STRING, 0, "maintainer", "NAME <ADDRESS>", OWN(maintainer, STR),
	  "who signs these changelogs (default: DEBFULLNAME and DEBEMAIL)" },
	{ OPT_CALL, 'P', "profiles", "NAMES", OWN(profiles, STRV),
	  "build profiles: nodoc, nocheck, stage1, ...", opt_words },
	{ OPT_FLAG, 0, "nocheck", NULL, OWN(nocheck, BOOL),
	  "without the package's own tests: as profile and in DEB_BUILD_OPTIONS" },
	OPT_END,
};

const struct opt debbuild_opts[] = {
	{ OPT_STRING, 'o', "output", "DIR", OWN(output, STR),
	  "where it goes (default: here; from within a source tree, the folder it is in)" },
	{ OPT_FLAG, 0, "overwrite", NULL, OWN(overwrite, BOOL),
	  "replace files of another build that are in the way" },
	{ OPT_CALL, 0, "extra-package", "FILE.deb", OWN(extra, STRV),
	  "one more package that dependencies may be met by; again for more", opt_extra },
	{ OPT_UINT, 'j', "jobs", "N", OWN(jobs, UNSIGNED),
	  "jobs at a time, and processors of the cage (default: --cpus)" },
	{ OPT_STRING, 0, "root", "ROOT", OWN(root, STR),
	  "build in a copy of this one, which has build-essential and fakeroot "
	  "(default: one that is made of the suite and kept in the cache)" },
	{ OPT_FLAG, 0, "scratch-memory", NULL, OWN(memory_scratch, BOOL),
	  "keep what the build writes in the cage's memory, not on the disk" },
	OPT_END,
};

void debbuild_release(struct debbuild *b)
{
	fab_options_release(&b->fab);
	machine_release(&b->machine);
	strv_release(&b->profiles);
	strv_release(&b->extra);
}

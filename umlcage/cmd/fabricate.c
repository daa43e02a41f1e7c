// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage fabricate: a root filesystem from a package archive. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs/debian/debian.h"
#include "rootfs/fabricate/fabricate.h"
#include "rootfs/image/image.h"
#include "rootfs/options/options.h"
#include "rootfs/plan/plan.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/progress.h"
#include "umlcage/cmd/cmd.h"
#include "umlcage/machine/machine.h"

/* ---- arguments ---- */

static int opt_variant(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	(void)opt;
	return fab_options_variant(value, arg, e);
}

static int opt_include(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	(void)opt;
	return fab_options_include(value, arg, e);
}

/* Words separated by commas or blanks, each once. */
static int opt_words(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	cleanup_strv struct strv words = STRV_INIT;
	struct strv *out = value;

	(void)opt;
	(void)e;
	strv_split(&words, arg, ", \t\n");
	for (size_t i = 0; i < words.n; i++)
		if (!strv_has(out, words.v[i]))
			strv_add(out, words.v[i]);
	return 0;
}

static int opt_skip(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	(void)opt;
	return fab_options_skip(value, arg, e);
}

static int opt_keyring(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	(void)opt;
	return fab_options_keyring(value, arg, e);
}

static int opt_format(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	struct fab_options *o = value;

	(void)opt;
	(void)e;
	free(o->format);
	o->format = xstrdup(arg);
	return 0;
}

enum { CHROOTED = 16 };	/* added to the number of a hook's option */

static int opt_hook(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	(void)e;
	fab_options_add_hook(value, (enum fab_hook_when)(opt->number & ~CHROOTED),
			     opt->number & CHROOTED, arg);
	return 0;
}

static int opt_hook_directory(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	(void)opt;
	return fab_options_hook_directory(value, arg, e);
}

/* mmdebstrap's ways to become root: here there is one. */
static int opt_mode(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	(void)opt;
	(void)value;
	return fab_options_mode(arg, e);
}

/* How much is said: of several such options the last one counts. */
static int opt_verbosity(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	(void)arg;
	(void)e;
	*(int *)value = opt->number;
	return 0;
}

enum { QUIET = -1, VERBOSE = 1, DEBUG = 2 };

struct fabricate_options {
	struct fab_options o;
	struct machine machine;
	const char *logfile, *package_list;
	bool ignored, manual, version, print_recipe;
	int verbosity;
};

static int opt_net(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	struct fabricate_options *c = value;

	(void)opt;
	(void)e;
	c->o.net = true;
	c->machine.net = arg ? arg : "nat";
	return 0;
}

#define FAB(field, kind) OPT_##kind(struct fab_options, field)
#define OWN(field, kind) OPT_##kind(struct fabricate_options, field)

/* Of struct fab_options; .at is 0 where the whole of it is what .call wants. */
static const struct opt what_opts[] = {
	{ OPT_CALL, 0, "variant", "NAME", 0,
	  "what to install: extract, custom, essential, apt, required (minbase), "
	  "buildd, important (debootstrap, -; the default), standard", opt_variant },
	{ OPT_CALL, 0, "include", "PACKAGES", 0,
	  "more packages: names, name=version, name/suite, files, apt patterns", opt_include },
	{ OPT_CALL, 0, "components", "NAMES", FAB(components, STRV), "of the mirror; default main",
	  opt_words },
	{ OPT_CALL, 0, "architectures", "ARCH", FAB(architectures, STRV),
	  "of the root, the first is dpkg's; what must run of others than this machine's "
	  "runs through qemu (arm64, armhf, i386, ppc64el, riscv64, s390x, ...)", opt_words },
	{ OPT_CALL, 0, "format", "FORMAT", 0,
	  "auto (by TARGET's name; the default) or one of these, of which tar and cpio "
	  "may have a compression, as in tar.zst:", opt_format,
	  .words = target_words },
	{ OPT_CALL, 0, "keyring", "FILE", 0,
	  "keys that may sign the archive: a file or a directory", opt_keyring },
	{ OPT_LIST, 0, "aptopt", "TEXT", FAB(aptopts, STRV),
	  "a line or a file for apt.conf in the new root" },
	{ OPT_LIST, 0, "dpkgopt", "TEXT", FAB(dpkgopts, STRV),
	  "a line or a file for dpkg.cfg in the new root" },
	{ OPT_CALL, 0, "skip", "STEPS", 0, "steps to leave out, by mmdebstrap's names", opt_skip },
	{ OPT_FLAG, 0, "simulate", NULL, FAB(simulate, BOOL),
	  "only print what would be installed" },
	{ OPT_FLAG, 0, "dry-run", NULL, FAB(simulate, BOOL), "the same" },
	OPT_END,
};

static const struct opt hook_opts[] = {
	{ OPT_CALL, 0, "setup-hook", "CMD", 0, "before anything is unpacked", opt_hook,
	  .number = FAB_HOOK_SETUP },
	{ OPT_CALL, 0, "extract-hook", "CMD", 0, "when the essential packages are unpacked",
	  opt_hook, .number = FAB_HOOK_EXTRACT },
	{ OPT_CALL, 0, "essential-hook", "CMD", 0, "when they are installed", opt_hook,
	  .number = FAB_HOOK_ESSENTIAL },
	{ OPT_CALL, 0, "customize-hook", "CMD", 0, "when everything is", opt_hook,
	  .number = FAB_HOOK_CUSTOMIZE },
	{ OPT_CALL, 0, "chrooted-extract-hook", "CMD", 0, "the same inside the new root", opt_hook,
	  .number = FAB_HOOK_EXTRACT | CHROOTED },
	{ OPT_CALL, 0, "chrooted-essential-hook", "CMD", 0, "the same inside the new root",
	  opt_hook, .number = FAB_HOOK_ESSENTIAL | CHROOTED },
	{ OPT_CALL, 0, "chrooted-customize-hook", "CMD", 0, "the same inside the new root",
	  opt_hook, .number = FAB_HOOK_CUSTOMIZE | CHROOTED },
	{ OPT_CALL, 0, "hook-directory", "DIR", 0,
	  "programs named setup*, extract*, essential*, customize*", opt_hook_directory },
	OPT_END,
};

static const struct opt run_opts[] = {
	{ OPT_FLAG, 0, "no-cache", NULL, FAB(no_cache, BOOL),
	  "neither answer from finished trees nor keep this one" },
	{ OPT_FLAG, 0, "cache-keys", NULL, FAB(cache_keys, BOOL),
	  "keep this one even if it holds host keys or other secrets, which each "
	  "copy of it then has" },
	{ OPT_UINT, 'j', "jobs", "N", FAB(jobs, UNSIGNED), "threads that unpack and compress" },
	{ OPT_FLAG, 0, "no-valid-until", NULL, FAB(no_valid_until, BOOL),
	  "take indexes that have expired" },
	{ OPT_STRING, 0, "snapshot", "TIME", FAB(snapshot, STR),
	  "packages as they were, YYYYMMDDTHHMMSSZ, from a service that keeps them; the root's "
	  "sources stay what they would be" },
	{ OPT_STRING, 0, "snapshots", "URL", FAB(snapshots, STR),
	  "that service; @SNAPSHOTID@ in it is TIME, @ARCHIVE@ the last word of a mirror's path "
	  "(default: UMLCAGE_SNAPSHOTS)" },
	OPT_END,
};

static const struct opt net_opts[] = {
	{ OPT_CALL, 0, "net", "MODE", 0,
	  "let the scripts of packages reach the network, as hooks can: nat (without MODE), "
	  "public (no private addresses); with none hooks cannot either", opt_net, true },
	OPT_END,
};

static const struct opt own_opts[] = {
	{ OPT_STRING, 0, "logfile", "FILE", OWN(logfile, STR),
	  "the output of dpkg, scripts and hooks" },
	{ OPT_STRING, 0, "package-list", "FILE", OWN(package_list, STR),
	  "a line for each package that was fetched: its sum, size, name, version, "
	  "architecture and address; never answered from the cache" },
	{ OPT_CALL, 'q', "quiet", NULL, OWN(verbosity, INT), "errors only", opt_verbosity,
	  .number = QUIET },
	{ OPT_CALL, 's', "silent", NULL, OWN(verbosity, INT), "the same", opt_verbosity,
	  .number = QUIET },
	{ OPT_CALL, 'v', "verbose", NULL, OWN(verbosity, INT),
	  "the output of dpkg, scripts and hooks, too", opt_verbosity, .number = VERBOSE },
	{ OPT_CALL, 'd', "debug", NULL, OWN(verbosity, INT), "and what is done, step by step",
	  opt_verbosity, .number = DEBUG },
	{ OPT_FLAG, 0, "print-recipe", NULL, OWN(print_recipe, BOOL),
	  "only print what the result depends on, as a key, and its sources" },
	{ OPT_CALL, 0, "mode", "MODE", 0,
	  "accepted and ignored, as are --resolve-deps, --merged-usr, --no-merged-usr "
	  "and --force-check-gpg", opt_mode },
	{ OPT_FLAG, 0, "resolve-deps", NULL, OWN(ignored, BOOL), NULL },
	{ OPT_FLAG, 0, "merged-usr", NULL, OWN(ignored, BOOL), NULL },
	{ OPT_FLAG, 0, "no-merged-usr", NULL, OWN(ignored, BOOL), NULL },
	{ OPT_FLAG, 0, "force-check-gpg", NULL, OWN(ignored, BOOL), NULL },
	{ OPT_FLAG, 0, "man", NULL, OWN(manual, BOOL), NULL },
	{ OPT_FLAG, 0, "version", NULL, OWN(version, BOOL), NULL },
	OPT_END,
};

static const struct opt_spec spec = {
	.usage = "umlcage fabricate [options] [SUITE [TARGET [MIRROR...]]]",
	.summary = "Makes a root filesystem as mmdebstrap with the same options would.",
	.groups = OPT_GROUPS(
		{ "the root filesystem", what_opts, offsetof(struct fabricate_options, o) },
		{ "hooks (commands run as the cage's root, the new root as $1)", hook_opts,
		  offsetof(struct fabricate_options, o) },
		{ "an image", target_opts, offsetof(struct fabricate_options, o.details) },
		{ "the run", run_opts, offsetof(struct fabricate_options, o) },
		{ NULL, own_opts, 0 },
		{ "the network of hooks and scripts (packages are fetched outside of the cage)",
		  net_opts, 0 },
		{ NULL, machine_policy_opts, offsetof(struct fabricate_options, machine) },
		{ "the cage", machine_opts, offsetof(struct fabricate_options, machine) },
		{ NULL, machine_time_opts, offsetof(struct fabricate_options, machine) }),
	.epilogue = "TARGET is a directory (a share), a .tar or .cpio with any compression "
		    "(.gz, .xz, .zst, ...), an image\n(.ext4, .squashfs, .erofs, .oci.tar, "
		    ".docker.tar, ...), or - for a tar on standard output.\n"
		    "MIRROR is an address, a sources.list line, a file of sources, or - for "
		    "sources on standard input; without one, UMLCAGE_MIRROR or the host's "
		    "own mirror is used.\n"
		    "What runs in the cage reaches what --net-allow and --net-deny leave of the "
		    "network.  Packages\nand indexes are fetched from the mirrors by umlcage itself, "
		    "which these do not govern;\n--package-list says from where each was.",
};

/* SUITE [TARGET [MIRROR...]], as with mmdebstrap. */
static void take_operands(struct fab_options *o, int argc, char **argv)
{
	if (argc > 0)
		o->suite = xstrdup(argv[0]);
	if (argc > 1)
		o->target = xstrdup(argv[1]);
	for (int i = 2; i < argc; i++)
		strv_add(&o->mirrors, argv[i]);
}

static int simulate(const struct fab_options *o, struct progress *progress, struct error *e)
{
	cleanup_debian_archive struct debian_archive *a = NULL;
	struct plan plan = PLAN_INIT;
	cleanup_free char *text = NULL, *download = NULL, *installed = NULL;
	int r = plan_open_archive(o, progress, &a, e);

	if (!r)
		r = debian_archive_update(a, e);
	if (!r)
		r = plan_make(o, a, progress, &plan, e);
	progress_end(progress);

	if (r)
		return r;
	text = plan_text(&plan);
	download = format_size(plan.download_bytes);
	installed = format_size(plan.installed_kb * 1024);
	fputs(text, stdout);
	if (progress->verbosity >= 0)
		fprintf(stderr, "%zu packages, %s to fetch, %s installed\n", plan.n, download,
			installed);
	plan_release(&plan);
	return 0;
}

/* What a build compares with what it was last time: "key", "date" and "source" lines. */
static int print_recipe(const struct fab_options *o, const struct machine *machine,
			struct progress *progress, struct error *e)
{
	cleanup_debian_archive struct debian_archive *a = NULL;
	cleanup_kernel_info struct kernel_info kernel = KERNEL_INFO_INIT;
	cleanup_free char *network = machine_network(machine);
	const struct debian_index *v;
	struct recipe recipe = { "" };
	time_t date = 0;
	int ret = plan_open_archive(o, progress, &a, e);

	if (ret == 0)
		ret = debian_archive_update(a, e);
	if (ret == 0)
		ret = machine_kernel(machine, NULL, false, progress, &kernel, e);
	if (ret >= 0)
		ret = recipe_make(o, a, kernel.key, network, &recipe, e);
	progress_end(progress);
	if (ret < 0)
		return ret;
	printf("key %s\n", recipe.key[0] ? recipe.key : "-");
	for (size_t i = 0, n = debian_indexes(a, &v); i < n; i++) {
		cleanup_free char *uri = xstrdup(v[i].release->uri);

		date = v[i].release->date > date ? v[i].release->date : date;
		str_hide_passwords(uri);
		printf("source %s %s %s %s %s\n", uri, v[i].release->suite, v[i].component,
		       v[i].architecture, v[i].sum);
	}
	printf("date %lld\n", (long long)date);
	return 0;
}

static int fabricate(struct fabricate_options *c, struct error *e)
{
	struct image_maker im = IMAGE_MAKER_INIT(&c->machine);
	struct progress progress;
	int ret = machine_check(&c->machine, e);

	c->o.logfile = c->logfile ? xstrdup(c->logfile) : NULL;
	c->o.package_list = c->package_list ? xstrdup(c->package_list) : NULL;
	c->o.no_cache |= c->package_list != NULL || c->machine.clock;
	progress_init(&progress, STDERR_FILENO, c->verbosity);
	/* nothing is going to be written then */
	c->o.simulate |= c->print_recipe;
	if (ret == 0)
		ret = fab_options_resolve(&c->o, &progress, e);
	for (size_t i = 0; i < c->o.warnings.n && ret == 0; i++)
		progress_warn(&progress, "%s", c->o.warnings.v[i]);
	c->o.out.maker = &im.maker;
	if (ret == 0)
		ret = c->print_recipe ? print_recipe(&c->o, &c->machine, &progress, e) :
		      c->o.simulate ? simulate(&c->o, &progress, e) :
		      fabricate_request(&c->o, &c->machine, &progress, e);
	progress_end(&progress);
	c->o.out.maker = NULL;
	image_maker_release(&im);
	return ret;
}

static int cmd_fabricate(const struct command *self, int argc, char **argv)
{
	struct fabricate_options c = { .machine = MACHINE_INIT };
	struct error e = ERROR_INIT;
	int status;

	fab_options_init(&c.o);
	status = cmd_parse(self->spec, &c, &argc, &argv);
	if (status < 0 && (c.manual || c.version)) {
		if (c.manual)
			cmd_help(self->spec, stdout);
		else
			puts("umlcage " UMLCAGE_VERSION);
		status = EXIT_OK;
	} else if (status < 0) {
		take_operands(&c.o, argc, argv);
		status = fabricate(&c, &e) < 0 ? cmd_fail(&e) : EXIT_OK;
	}
	fab_options_release(&c.o);
	machine_release(&c.machine);
	return status;
}

static int check(const struct command *self, int argc, char **argv, struct error *e)
{
	struct fabricate_options c = { .machine = MACHINE_INIT };
	int ret;

	fab_options_init(&c.o);
	ret = opts_parse(self->spec, &c, &argc, &argv, e);
	if (ret == 0)
		ret = machine_check(&c.machine, e);
	fab_options_release(&c.o);
	machine_release(&c.machine);
	return ret < 0 ? ret : 0;
}

const struct command command_fabricate = {
	.name = "fabricate", .help = "makes a root filesystem from a package archive", .spec = &spec,
	.run = cmd_fabricate, .check = check,
};

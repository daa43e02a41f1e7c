// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage fabricate: a root filesystem from a package archive. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs/debian/debian.h"
#include "rootfs/fabricate/fabricate.h"
#include "rootfs/options/options.h"
#include "rootfs/plan/plan.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/progress.h"
#include "umlcage/cmd/cmd.h"

/* ---- arguments ---- */

static int opt_variant(const char *arg, void *value, struct error *e)
{
	struct fab_options *o = value;

	if (fab_variant_parse(arg, &o->variant))
		return err_usage(e, "unknown variant '%s'; there are extract, custom, essential, "
				 "apt, required, minbase, buildd, important, debootstrap, -, "
				 "standard", arg);
	return 0;
}

static int opt_include(const char *arg, void *value, struct error *e)
{
	return fab_options_include(value, arg, e);
}

/* Words separated by commas or blanks, each once. */
static int opt_words(const char *arg, void *value, struct error *e)
{
	cleanup_strv struct strv words = STRV_INIT;
	struct strv *out = value;

	(void)e;
	strv_split(&words, arg, ", \t\n");
	for (size_t i = 0; i < words.n; i++)
		if (!strv_has(out, words.v[i]))
			strv_add(out, words.v[i]);
	return 0;
}

static int opt_keyring(const char *arg, void *value, struct error *e)
{
	char *real = realpath(arg, NULL);

	if (!real)
		return err_usage(e, "keyring '%s' does not exist", arg);
	strv_take(value, real);
	return 0;
}

static int opt_format(const char *arg, void *value, struct error *e)
{
	static const struct {
		const char *name;
		enum fab_format format;
	} formats[] = {
		{ "auto", FAB_FORMAT_AUTO }, { "directory", FAB_FORMAT_DIRECTORY },
		{ "dir", FAB_FORMAT_DIRECTORY }, { "tar", FAB_FORMAT_TAR },
		{ "cpio", FAB_FORMAT_CPIO }, { "null", FAB_FORMAT_NULL },
	};
	struct fab_options *o = value;

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (strcmp(formats[i].name, arg) == 0) {
			o->format = formats[i].format;
			return 0;
		}
	return err_usage(e, "unknown format '%s'; there are auto, directory, tar, cpio, null", arg);
}

#define HOOK_OPTION(name, when, chrooted) \
	static int name(const char *arg, void *value, struct error *e) \
	{ \
		(void)e; \
		fab_options_add_hook(value, when, chrooted, arg); \
		return 0; \
	}
HOOK_OPTION(opt_setup_hook, FAB_HOOK_SETUP, false)
HOOK_OPTION(opt_extract_hook, FAB_HOOK_EXTRACT, false)
HOOK_OPTION(opt_essential_hook, FAB_HOOK_ESSENTIAL, false)
HOOK_OPTION(opt_customize_hook, FAB_HOOK_CUSTOMIZE, false)
HOOK_OPTION(opt_chrooted_extract_hook, FAB_HOOK_EXTRACT, true)
HOOK_OPTION(opt_chrooted_essential_hook, FAB_HOOK_ESSENTIAL, true)
HOOK_OPTION(opt_chrooted_customize_hook, FAB_HOOK_CUSTOMIZE, true)

static int opt_hook_directory(const char *arg, void *value, struct error *e)
{
	return fab_options_hook_directory(value, arg, e);
}

static int opt_mode(const char *arg, void *value, struct error *e)
{
	(void)arg;
	(void)value;
	(void)e;
	return 0;	/* mmdebstrap's ways to become root: here there is one */
}

struct command {
	struct fab_options o;
	struct strv components;
	const char *logfile, *kernel;
	uint64_t memory;
	bool quiet, ignored;
	int verbose;
};

/* SUITE [TARGET [MIRROR...]], as with mmdebstrap. */
static void take_operands(struct command *c, int argc, char **argv)
{
	if (argc > 0)
		c->o.suite = xstrdup(argv[0]);
	if (argc > 1)
		c->o.target = xstrdup(argv[1]);
	for (int i = 2; i < argc; i++)
		strv_add(&c->o.mirrors, argv[i]);
}

static int parse(struct command *c, int argc, char **argv)
{
	struct fab_options *o = &c->o;
	const struct opt opts[] = {
		{ OPT_CALL, 0, "variant", "NAME", .value = o, .call = opt_variant,
		  .help = "what to install: extract, custom, essential, apt, required (minbase), "
			  "buildd, important (debootstrap, -; the default), standard" },
		{ OPT_CALL, 0, "include", "PACKAGES", .value = o, .call = opt_include,
		  .help = "more packages: names, name=version, name/suite, files, apt patterns" },
		{ OPT_CALL, 0, "components", "NAMES", .value = &o->components, .call = opt_words,
		  .help = "of the mirror; default main" },
		{ OPT_CALL, 0, "architectures", "ARCH", .value = &o->architectures,
		  .call = opt_words, .help = "only this machine's own" },
		{ OPT_CALL, 0, "format", "FORMAT", .value = o, .call = opt_format,
		  .help = "auto (from TARGET's name), directory (a share), tar, cpio, null" },
		{ OPT_CALL, 0, "keyring", "FILE", .value = &o->keyrings, .call = opt_keyring,
		  .help = "keys that may sign the archive: a file or a directory" },
		{ OPT_LIST, 0, "aptopt", "TEXT", .value = &o->aptopts,
		  .help = "a line or a file for apt.conf in the new root" },
		{ OPT_LIST, 0, "dpkgopt", "TEXT", .value = &o->dpkgopts,
		  .help = "a line or a file for dpkg.cfg in the new root" },
		{ OPT_CALL, 0, "skip", "STEPS", .value = &o->skip, .call = opt_words,
		  .help = "steps to leave out, by mmdebstrap's names" },
		{ OPT_FLAG, 's', "simulate", .value = &o->simulate,
		  .help = "only print what would be installed" },
		{ OPT_FLAG, 0, "dry-run", .value = &o->simulate, .help = "the same" },
		{ OPT_HEADING, .help = "Hooks (commands run as the cage's root, the new root as $1)" },
		{ OPT_CALL, 0, "setup-hook", "CMD", .value = o, .call = opt_setup_hook,
		  .help = "before anything is unpacked" },
		{ OPT_CALL, 0, "extract-hook", "CMD", .value = o, .call = opt_extract_hook,
		  .help = "when the essential packages are unpacked" },
		{ OPT_CALL, 0, "essential-hook", "CMD", .value = o, .call = opt_essential_hook,
		  .help = "when they are installed" },
		{ OPT_CALL, 0, "customize-hook", "CMD", .value = o, .call = opt_customize_hook,
		  .help = "when everything is" },
		{ OPT_CALL, 0, "chrooted-extract-hook", "CMD", .value = o,
		  .call = opt_chrooted_extract_hook, .help = "the same inside the new root" },
		{ OPT_CALL, 0, "chrooted-essential-hook", "CMD", .value = o,
		  .call = opt_chrooted_essential_hook, .help = "the same inside the new root" },
		{ OPT_CALL, 0, "chrooted-customize-hook", "CMD", .value = o,
		  .call = opt_chrooted_customize_hook, .help = "the same inside the new root" },
		{ OPT_CALL, 0, "hook-directory", "DIR", .value = o, .call = opt_hook_directory,
		  .help = "programs named setup*, extract*, essential*, customize*" },
		{ OPT_HEADING, .help = "The run" },
		{ OPT_FLAG, 0, "no-cache", .value = &o->no_cache,
		  .help = "neither answer from finished trees nor keep this one" },
		{ OPT_STRING, 0, "logfile", "FILE", .value = &c->logfile,
		  .help = "the output of dpkg, scripts and hooks" },
		{ OPT_STRING, 0, "kernel", "FILE", .value = &c->kernel,
		  .help = "of the cage; default: found or built" },
		{ OPT_SIZE, 0, "memory", "SIZE", .value = &c->memory, .help = "of the cage" },
		{ OPT_UINT, 0, "cpus", "N", .value = &o->cpus, .help = "of the cage" },
		{ OPT_UINT, 'j', "jobs", "N", .value = &o->jobs, .help = "that unpack at a time" },
		{ OPT_FLAG, 0, "no-valid-until", .value = &o->no_valid_until,
		  .help = "take indexes that have expired" },
		{ OPT_FLAG, 'q', "quiet", .value = &c->quiet, .help = "errors only" },
		{ OPT_COUNT, 'v', "verbose", .value = &c->verbose, .help = "say more" },
		{ OPT_CALL, 0, "mode", "MODE", .value = o, .call = opt_mode,
		  .help = "accepted and ignored, as are --resolve-deps and --merged-usr" },
		{ OPT_FLAG, 0, "resolve-deps", .value = &c->ignored, .help = "ignored" },
		{ OPT_FLAG, 0, "merged-usr", .value = &c->ignored, .help = "ignored" },
		OPT_END,
	};
	const struct opt_spec spec = {
		.usage = "umlcage fabricate [options] [SUITE [TARGET [MIRROR...]]]",
		.summary = "Makes a root filesystem as mmdebstrap with the same options would.",
		.opts = opts,
		.epilogue = "TARGET is a directory (a share), a .tar or .cpio with any compression "
			    "(.gz, .xz, .zst, ...), or - for a tar on standard output.\n"
			    "MIRROR is an address, a sources.list line, a file of sources, or - for "
			    "sources on standard input; without one, UMLCAGE_MIRROR or the host's "
			    "own mirror is used.",
	};
	int status = cmd_parse(&spec, &argc, &argv);

	if (status < 0)
		take_operands(c, argc, argv);
	return status;
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
		r = plan_make(o, a, &plan, e);
	progress_end(progress);

	if (r)
		return r;
	text = plan_text(&plan);
	download = format_size(plan.download_bytes);
	installed = format_size(plan.installed_kb * 1024);
	fputs(text, stdout);
	fprintf(stderr, "%zu packages, %s to fetch, %s installed\n", plan.n, download, installed);
	plan_release(&plan);
	return 0;
}

int cmd_fabricate(int argc, char **argv)
{
	struct command c = { 0 };
	struct progress progress;
	struct error e = ERROR_INIT;
	int status, r;

	fab_options_init(&c.o);
	status = parse(&c, argc, argv);
	if (status >= 0) {
		fab_options_release(&c.o);
		return status;
	}
	c.o.memory_mb = (unsigned int)(c.memory >> 20);
	c.o.logfile = c.logfile ? xstrdup(c.logfile) : NULL;
	c.o.kernel = c.kernel ? xstrdup(c.kernel) : NULL;
	progress_init(&progress, STDERR_FILENO, c.quiet ? -1 : c.verbose);
	r = fab_options_resolve(&c.o, &e);
	if (!r)
		r = c.o.simulate ? simulate(&c.o, &progress, &e) :
		    fabricate_request(&c.o, &progress, &e);
	progress_end(&progress);
	fab_options_release(&c.o);
	return r ? cmd_fail(&e) : EXIT_OK;
}

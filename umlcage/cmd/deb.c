// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage deb: Debian packages from their sources. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs/debbuild/debbuild.h"
#include "umlcage/base/progress.h"
#include "umlcage/cmd/deb.h"

struct deb_options {
	struct debbuild b;
	const char *suite;
	bool json, quiet;
	int verbose;
};

#define FAB(field, kind) OPT_##kind(struct fab_options, field)
#define OWN(field, kind) OPT_##kind(struct deb_options, field)

static int opt_keyring(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	(void)opt;
	return fab_options_keyring(value, arg, e);
}

/* Words separated by commas or blanks. */
static int opt_words(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	(void)opt;
	(void)e;
	strv_split(value, arg, ", \t\n");
	return 0;
}

static int opt_net(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	struct debbuild *b = value;

	(void)opt;
	(void)e;
	b->net = true;
	b->machine.net = arg ? arg : "nat";
	return 0;
}

static const struct opt net_opts[] = {
	{ OPT_CALL, 0, "net", "MODE", 0,
	  "let the build reach the network: nat (without MODE), public (no private addresses)", opt_net,
	  true },
	OPT_END,
};

static const struct opt suite_opts[] = {
	{ OPT_STRING, 0, "suite", "SUITE", OWN(suite, STR),
	  "of the source and of the root (default: this machine's own, else stable)" },
	OPT_END,
};

static const struct opt archive_opts[] = {
	{ OPT_LIST, 0, "mirror", "MIRROR", FAB(mirrors, STRV),
	  "an address, a sources.list line or a file of sources; again for more "
	  "(--extra-repository of sbuild)" },
	{ OPT_CALL, 0, "components", "NAMES", FAB(components, STRV), "of the mirror; default main",
	  opt_words },
	{ OPT_CALL, 0, "keyring", "FILE", 0,
	  "keys that may sign the archive: a file or a directory", opt_keyring },
	{ OPT_FLAG, 0, "no-valid-until", NULL, FAB(no_valid_until, BOOL),
	  "take indexes that have expired" },
	OPT_END,
};

static const struct opt shown_opts[] = {
	{ OPT_FLAG, 0, "json", NULL, OWN(json, BOOL),
	  "say on standard output what came of it, as JSON, also after a failure" },
	{ OPT_FLAG, 'q', "quiet", NULL, OWN(quiet, BOOL), "only errors and warnings" },
	{ OPT_COUNT, 'v', "verbose", NULL, OWN(verbose, INT), "the log on standard error, too" },
	OPT_END,
};

static const struct opt_spec build_spec = {
	.usage = "umlcage deb build [options] PACKAGE.dsc | FOLDER | NAME[=VERSION]",
	.summary = "Builds a Debian package in a throwaway cage, as sbuild does.",
	.groups = OPT_GROUPS(
		{ "the archive", suite_opts, 0 },
		{ NULL, archive_opts, offsetof(struct deb_options, b.fab) },
		{ "what is built", debbuild_what_opts, offsetof(struct deb_options, b) },
		{ "the build", debbuild_opts, offsetof(struct deb_options, b) },
		{ NULL, shown_opts, 0 },
		{ "the network of the build (sources and packages are fetched outside of the cage)", net_opts,
		  offsetof(struct deb_options, b) },
		{ NULL, machine_policy_opts, offsetof(struct deb_options, b.machine) },
		{ "the cage", machine_opts, offsetof(struct deb_options, b.machine) },
		{ NULL, machine_time_opts, offsetof(struct deb_options, b.machine) }),
	.epilogue = "The source is fetched and verified by what the archive has signed, or is a .dsc file "
		    "with its\nfiles, or a folder with a source tree.  Beside the packages come the .dsc and "
		    "its files, .buildinfo\nand .changes, the log (.build) and a record of what happened "
		    "(.json).  Exit status 7: the package's\nown build failed; 5: its dependencies cannot "
		    "be had or installed.  'umlcage help exit-status' has all.",
};

static void report(const struct deb_options *o, const struct debbuild_result *r)
{
	cleanup_free char *json = NULL;

	if (o->json) {
		json = debbuild_json(r);
		fputs(json, stdout);
	}
	if (o->quiet)
		return;
	if (r->step != DEBBUILD_DONE && r->log)
		fprintf(stderr, "the log is %s\n", r->log);
	if (r->step != DEBBUILD_DONE || o->json)
		return;
	for (size_t i = 0; i < r->files.n; i++)
		if (str_ends(r->files.v[i].name, "deb") || str_ends(r->files.v[i].name, ".changes"))
			printf("%s/%s\n", r->folder, r->files.v[i].name);
}

typedef int make_fn(struct debbuild *b, const char *what, struct progress *progress,
		    struct debbuild_result *result, struct error *e);

static int make(struct deb_options *o, make_fn *fn, const char *what, struct error *e)
{
	struct debbuild_result result = { 0 };
	struct progress progress;
	int ret = machine_check(&o->b.machine, e);

	if (ret == 0 && !o->b.net && net_policy_any(&o->b.machine.policy))
		ret = err_usage(e, "--net-allow, --net-deny and --net-log are for a build that reaches the "
				"network; add --net");
	if (ret < 0)
		return ret;
	progress_init(&progress, STDERR_FILENO, o->quiet ? -1 : o->verbose);
	if (o->suite)
		o->b.fab.suite = xstrdup(o->suite);
	ret = fn(&o->b, what, &progress, &result, e);
	report(o, &result);
	if (ret == 0 && !o->quiet)
		fprintf(stderr, "built '%s %s' in %.1f s: install %.1f, build %.1f\n", result.source,
			result.version, (double)result.milliseconds[DEBBUILD_DONE] / 1000,
			(double)result.milliseconds[DEBBUILD_INSTALL] / 1000,
			(double)result.milliseconds[DEBBUILD_BUILD] / 1000);
	if (ret == 0 && !o->quiet && result.compared)
		fprintf(stderr, "the packages are the same, byte for byte\n");
	debbuild_result_release(&result);
	return ret;
}

static int run(const struct command *self, int argc, char **argv, make_fn *fn, const char *wanted)
{
	struct deb_options o = { .b = DEBBUILD_INIT };
	struct error e = ERROR_INIT;
	int status, ret;

	fab_options_init(&o.b.fab);
	status = cmd_parse(self->spec, &o, &argc, &argv);
	if (status < 0) {
		ret = argc == 1 ? make(&o, fn, argv[0], &e) :
		      argc ? err_usage(&e, "one at a time: %s", wanted) :
		      err_usage(&e, "name %s; see 'umlcage deb %s --help'", wanted, self->name);
		status = ret < 0 ? cmd_fail(&e) : EXIT_OK;
	}
	debbuild_release(&o.b);
	return status;
}

static int cmd_deb_build(const struct command *self, int argc, char **argv)
{
	return run(self, argc, argv, debbuild_run, "a package, a .dsc file or a folder");
}

static int cmd_deb_rebuild(const struct command *self, int argc, char **argv)
{
	return run(self, argc, argv, debbuild_again, "a .buildinfo file");
}

static const struct command command_deb_build = {
	.name = "build", .help = "builds a package from its source", .spec = &build_spec,
	.run = cmd_deb_build,
};

static const struct opt_spec rebuild_spec = {
	.usage = "umlcage deb rebuild [options] FILE.buildinfo",
	.summary = "Builds a package once more, as its .buildinfo says, and compares: is it reproducible?",
	.groups = OPT_GROUPS(
		{ "the archive", suite_opts, 0 },
		{ NULL, archive_opts, offsetof(struct deb_options, b.fab) },
		{ "the build", debbuild_opts, offsetof(struct deb_options, b) },
		{ NULL, shown_opts, 0 },
		{ "the cage", machine_opts, offsetof(struct deb_options, b.machine) },
		{ NULL, machine_time_opts, offsetof(struct deb_options, b.machine) }),
	.epilogue = "All packages that it was built with are there in the same versions, or it is not built: "
		    "where the\nmirror has newer ones, name one that keeps old ones, such as the "
		    "distribution's snapshots.  The source\nis the .dsc beside the file, else that of the "
		    "archive.  Without --output the packages go to 'rebuilt'.\nExit status 0: they are the "
		    "same, byte for byte; 1: they are not; 5: a version cannot be had.",
};

static const struct command command_deb_rebuild = {
	.name = "rebuild", .help = "builds a package again and compares", .spec = &rebuild_spec,
	.run = cmd_deb_rebuild,
};

static const struct command *const commands[] = {
	&command_deb_build, &command_deb_rebuild, &command_deb_check, &command_deb_test, NULL,
};

const struct command command_deb = {
	.name = "deb", .help = "builds, checks and tests Debian packages", .run = cmd_dispatch,
	.sub = commands,
	.summary = "Debian packages from their sources, in throwaway cages.",
};

// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage build reproduce: whether what was built comes out the same once more. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "rootfs/build/build.h"
#include "umlcage/base/fd.h"
#include "umlcage/cmd/build.h"

struct reproduce_options {
	struct build_how how;
	const char *snapshot, *snapshots;
	bool json, quiet;
};

static int opt_snapshot(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	struct reproduce_options *o = value;

	(void)opt;
	(void)e;
	o->snapshot = arg ? arg : "";
	return 0;
}

#define R(field, kind) OPT_##kind(struct reproduce_options, field)

static const struct opt reproduce_opts[] = {
	{ OPT_CALL, 0, "snapshot", "TIME", 0,
	  "with the packages of then: YYYYMMDDTHHMMSSZ, or without TIME when it was built",
	  opt_snapshot, true },
	{ OPT_STRING, 0, "snapshots", "URL", R(snapshots, STR),
	  "the service that keeps them (default: UMLCAGE_SNAPSHOTS)" },
	{ OPT_STRING, 'o', "output", "DIR", R(how.output, STR), "keep what is made in DIR" },
	{ OPT_STRING, 0, "kernel", "FILE", R(how.kernel, STR), "boot this kernel (default: found or built)" },
	{ OPT_FLAG, 0, "ptrace", NULL, R(how.ptrace, BOOL),
	  "run guest processes under ptrace instead of seccomp (slower)" },
	{ OPT_FLAG, 0, "json", NULL, R(json, BOOL), "the result for programs, on standard output" },
	{ OPT_FLAG, 'q', "quiet", NULL, R(quiet, BOOL), "only what differs" },
	OPT_END,
};

static const struct opt_spec reproduce_spec = {
	.usage = "umlcage build reproduce [options] NIGHT [FILE|DIR...]",
	.summary = "Makes what was built once more, out of nothing that is kept but packages, and compares.\n"
		   "NIGHT is a folder such as output/NAME/latest, or the manifest.json of one.",
	.groups = OPT_GROUPS({ NULL, reproduce_opts, 0 }),
	.epilogue = "FILE is its build file (default: those of the current folder).  Checks, signing and\n"
		    "notification are left out.  exit status: 0; 1 if an output has other bytes",
};

static int reproduce(struct reproduce_options *o, int argc, char **argv)
{
	cleanup_builds struct builds b = BUILDS_INIT;
	cleanup_free char *program = realpath("/proc/self/exe", NULL), *output = NULL;
	struct build_reproduction r;
	struct error e = ERROR_INIT;
	struct progress progress;
	int ret = builds_read(&b, cmd_build_tools(), argv + 1, (size_t)argc - 1, &e), status;

	if (ret == 0)
		ret = builds_order(&b, &e);
	if (ret < 0)
		return cmd_fail(&e);
	cmd_build_output(&o->how, &output);
	o->how.program = program;
	progress_init(&progress, STDERR_FILENO, o->quiet ? -1 : 0);
	ret = builds_reproduce(&b, &o->how, argv[0], o->snapshot, o->snapshots, &progress, &r, &e);
	status = ret < 0 ? cmd_fail(&e) : r.same ? EXIT_OK : EXIT_FAILED;
	if (ret == 0 && (!o->quiet || !r.same))
		fprintf(stderr, "%s: %s\n%s", r.name, r.same ? "reproduced" : "not reproduced", r.text);
	if (ret == 0 && o->json)
		puts(r.json);
	build_reproduction_release(&r);
	return status;
}

static int cmd_reproduce(const struct command *self, int argc, char **argv)
{
	struct reproduce_options o = { 0 };
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv);

	if (status >= 0)
		return status;
	if (!argc) {
		err_usage(&e, "which one? give the folder of a night, such as output/NAME/latest");
		return cmd_fail(&e);
	}
	return reproduce(&o, argc, argv);
}

const struct command command_build_reproduce = {
	.name = "reproduce", .help = "makes what was built once more, and compares", .spec = &reproduce_spec,
	.run = cmd_reproduce,
};

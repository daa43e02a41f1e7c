// SPDX-License-Identifier: GPL-2.0-or-later
/* The sections of a build file, as tables of options: names, kinds and help are there. */
#include <stdio.h>
#include <string.h>

#include "rootfs/build/private.h"

#define STEP(field, kind) OPT_##kind(struct build_step, field)
#define OUT(field, kind) OPT_##kind(struct build_output, field)
#define SELF(field, kind) OPT_##kind(struct build, field)

static const struct opt build_opts[] = {
	{ OPT_STRING, 0, "description", "TEXT", SELF(description, STR), "what it is, for people" },
	OPT_END,
};

static const struct opt source_opts[] = {
	{ OPT_STRING, 0, "suite", "SUITE", SELF(suite, STR), "made from packages, as by fabricate" },
	{ OPT_LIST, 0, "mirror", "URL", SELF(mirrors, STRV), "for the suite" },
	{ OPT_STRING, 0, "root", "ROOT", SELF(root, STR),
	  "or a root that exists: a share, an archive, a kept name" },
	{ OPT_STRING, 0, "build", "NAME", SELF(base, STR), "or what another build of the folder made" },
	OPT_END,
};

static const struct opt step_opts[] = {
	{ OPT_STRING, 0, "run", "SCRIPT", STEP(script, STR),
	  "what sh runs as root, in the root; of several lines if they are indented" },
	{ OPT_STRING, 0, "files", "DIR", STEP(files, STR),
	  "a folder whose files are put into the root before that, as root's" },
	{ OPT_STRING, 0, "user", "USER[:GROUP]", STEP(user, STR), "who runs it (default: root)" },
	{ OPT_STRING, 0, "workdir", "DIR", STEP(workdir, STR), "where it starts (default: /)" },
	OPT_END,
};

static const struct opt place_opts[] = {
	{ OPT_LIST, 0, "bind", "HOSTDIR:GUESTDIR[:ro]", STEP(places.binds, STRV),
	  "a folder of the host for the script; its contents count as input" },
	{ OPT_STRING, 0, "bind-owner", "USER[:GROUP]", STEP(places.owner, STR),
	  "whose the files of such a folder are (default: root's)" },
	{ OPT_LIST, 0, "share", "HOSTDIR:GUESTDIR[:ro]", STEP(places.shares, STRV), "a share for it" },
	OPT_END,
};

/* What a script runs in that is not about the tree's own programs. */
static const struct opt tool_opts[] = {
	{ OPT_STRING, 0, "tool", "NAME", STEP(tool_name, STR),
	  "runs where 'umlcage tool NAME' does: its packages, kernel, memory" },
	{ OPT_STRING, 0, "packages", "NAME,...", STEP(packages, STR),
	  "or in a small root with those packages" },
	{ OPT_STRING, 0, "root", "ROOT", STEP(root, STR), "or in a root that exists" },
	{ OPT_STRING, 0, "tools-suite", "SUITE", STEP(tools_suite, STR),
	  "whose packages these are (default: this machine's own, else stable)" },
	{ OPT_STRING, 0, "scratch", "WHERE", STEP(places.scratch, STR),
	  "where that root is written to: memory, or disk (default: what the tool needs)" },
	OPT_END,
};

static const struct opt run_opts[] = {
	{ OPT_STRING, 0, "run", "SCRIPT", STEP(script, STR),
	  "what sh runs as root, in an empty folder; it fills the folder $TARGET" },
	{ OPT_STRING, 0, "files", "DIR", STEP(files, STR),
	  "a folder whose files are put where it starts, before that" },
	{ OPT_STRING, 0, "workdir", "DIR", STEP(workdir, STR), "where it starts instead" },
	{ OPT_DURATION, 0, "renew", "TIME", STEP(renew, U64),
	  "how long what it fetches is taken as what it would fetch (default: a day; "
	  "without a network, and with 0: until the build file changes)" },
	OPT_END,
};

static const struct opt output_opts[] = {
	{ OPT_STRING, 0, "format", "NAME", OUT(format, STR),
	  "where the file's name does not tell; one of these, of "
	  "which tar and cpio may have a compression, as in tar.zst:", .words = target_words },
	{ OPT_STRING, 0, "file", "PATH", OUT(file, STR),
	  "a file of the tree as it is, instead: an image that a tool made, a kernel" },
	{ OPT_STRING, 0, "level", "N", OUT(level, STR), "of the compression" },
	{ OPT_UINT, 0, "jobs", "N", OUT(jobs, UNSIGNED), "threads that compress" },
	{ OPT_FLAG, 0, "sparse", NULL, OUT(sparse, BOOL), "tar: leave out the holes of files" },
	OPT_END,
};

static const struct opt publish_opts[] = {
	{ OPT_STRING, 0, "directory", "DIR", OPT_STR(struct build_publish, directory),
	  "where the folder NAME with the outputs is made (default: output, beside the build file)" },
	{ OPT_UINT, 0, "keep", "N", OPT_UNSIGNED(struct build_publish, keep),
	  "how many are kept (default: 7)" },
	{ OPT_STRING, 0, "sign", "COMMAND", OPT_STR(struct build_publish, sign),
	  "for sh, in the folder with SHA256SUMS: makes SHA256SUMS.sig, .asc, ... of it" },
	{ OPT_STRING, 0, "notify", "COMMAND", OPT_STR(struct build_publish, notify),
	  "for sh, when something was built or failed; the summary is its input" },
	OPT_END,
};

static const struct opt limit_opts[] = {
	{ OPT_DURATION, 0, "timeout", "TIME", OPT_U64(struct build_limits, timeout),
	  "of each step and check" },
	{ OPT_DURATION, 0, "command-timeout", "TIME", OPT_U64(struct build_limits, command_timeout),
	  "of sign and notify (default: 5m)" },
	OPT_END,
};

const struct opt_spec build_build_spec = { .groups = OPT_GROUPS({ NULL, build_opts, 0 }) };
const struct opt_spec build_source_spec = { .groups = OPT_GROUPS({ NULL, source_opts, 0 }) };
#define STEP_GROUPS \
	{ NULL, place_opts, 0 }, \
	{ NULL, machine_env_opts, offsetof(struct build_step, machine) }, \
	{ NULL, machine_net_opts, offsetof(struct build_step, machine) }, \
	{ NULL, machine_port_opts, offsetof(struct build_step, machine) }, \
	{ NULL, machine_policy_opts, offsetof(struct build_step, machine) }, \
	{ NULL, machine_opts, offsetof(struct build_step, machine) }

const struct opt_spec build_step_spec = { .groups = OPT_GROUPS({ NULL, step_opts, 0 }, STEP_GROUPS) };
const struct opt_spec build_run_spec = {
	.groups = OPT_GROUPS({ NULL, run_opts, 0 }, { NULL, tool_opts, 0 }, STEP_GROUPS),
};
const struct opt_spec build_check_spec = {
	.groups = OPT_GROUPS({ NULL, step_opts, 0 }, { NULL, tool_opts, 0 }, STEP_GROUPS),
};
const struct opt_spec build_output_spec = {
	.groups = OPT_GROUPS({ NULL, output_opts, 0 },
			     { NULL, target_opts, offsetof(struct build_output, details) }),
};
const struct opt_spec build_publish_spec = { .groups = OPT_GROUPS({ NULL, publish_opts, 0 }) };
const struct opt_spec build_limits_spec = { .groups = OPT_GROUPS({ NULL, limit_opts, 0 }) };

static void print_key(const struct opt *o, void *arg)
{
	const char *nl;

	if (o->kind == OPT_HEADING || !o->help || !o->name)
		return;
	nl = strchr(o->help, '\n');
	fprintf(arg, "  %-16s %-24s %.*s%s\n", o->name, o->arg ? o->arg : "yes|no",
		nl ? (int)(nl - o->help) : (int)strlen(o->help), o->help, nl ? " ..." : "");
}

void builds_keys(const struct build_tools *tools, FILE *out)
{
	const struct {
		const char *title;
		const struct opt_spec *spec;
	} sections[] = {
		{ "[Build]", &build_build_spec },
		{ "[Source]", &build_source_spec },
		{ "[Source] of a suite, the options of umlcage fabricate:", tools->fabricate },
		{ "[Run], those of umlcage run, too:", &build_run_spec },
		{ "[Step NAME], the same:", &build_step_spec },
		{ "[Verify NAME], the same:", &build_check_spec },
		{ "[Output FILE]", &build_output_spec },
		{ "[Publish]", &build_publish_spec },
		{ "[Limits]", &build_limits_spec },
	};

	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		fprintf(out, "%s%s\n", i ? "\n" : "", sections[i].title);
		opts_each(sections[i].spec, print_key, out);
	}
}

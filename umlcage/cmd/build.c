// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage build: images by build files, and what has become of them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rootfs/build/build.h"
#include "umlcage/base/fd.h"
#include "umlcage/cmd/build.h"
#include "umlcage/cmd/cmd.h"
#include "umlcage/table/table.h"

struct build_options {
	struct build_how how;
	bool json, list, keys, quiet, verbose;
};

#define B(field, kind) OPT_##kind(struct build_options, field)

static const struct opt what_opts[] = {
	{ OPT_LIST, 0, "only", "NAME", B(how.only, STRV), "only this one, and what it builds on" },
	{ OPT_FLAG, 'f', "force", NULL, B(how.force, BOOL), "also what is up to date" },
	{ OPT_UINT, 'j', "jobs", "N", B(how.jobs, UNSIGNED),
	  "at a time (default: as processors and memory allow)" },
	{ OPT_STRING, 'o', "output", "DIR", B(how.output, STR),
	  "where the folders with the outputs are, whatever the build files say" },
	{ OPT_STRING, 0, "kernel", "FILE", B(how.kernel, STR), "boot this kernel (default: found or built)" },
	{ OPT_FLAG, 0, "ptrace", NULL, B(how.ptrace, BOOL),
	  "run guest processes under ptrace instead of seccomp (slower)" },
	OPT_END,
};

static const struct opt look_opts[] = {
	{ OPT_FLAG, 0, "check", NULL, B(how.check, BOOL), "only say whether the files are right" },
	{ OPT_FLAG, 'n', "dry-run", NULL, B(how.dry_run, BOOL), "only say what would be done" },
	{ OPT_FLAG, 0, "explain", NULL, B(how.explain, BOOL), "say why each is or is not up to date" },
	{ OPT_FLAG, 0, "list", NULL, B(list, BOOL), "list them, and what they build on" },
	{ OPT_FLAG, 0, "keys", NULL, B(keys, BOOL), "list what a build file may say" },
	{ OPT_FLAG, 0, "json", NULL, B(json, BOOL), "results for programs, on standard output" },
	{ OPT_FLAG, 'q', "quiet", NULL, B(quiet, BOOL), "only what failed" },
	OPT_END,
};

static const struct opt_spec build_spec = {
	.usage = "umlcage build [options] [FILE|DIR...]\n"
		 "       umlcage build reproduce|sign|status|timer ...",
	.summary = "Makes what build files (NAME.build) describe, as far as it is not up to date.",
	.groups = OPT_GROUPS({ "what is built", what_opts, 0 }, { "what is said", look_opts, 0 }),
	.epilogue = "A build file has sections: [Source], [Step NAME], [Output FILE], [Verify NAME],\n"
		    "[Publish], [Limits].  Outputs go to output/NAME/TIME beside it, and output/NAME/latest\n"
		    "leads to the newest that passed its checks.  'umlcage build sign', 'status' and\n"
		    "'timer' are commands of their own.",
};

static int check_fabricate(int argc, char **argv, struct error *e)
{
	return command_fabricate.check(&command_fabricate, argc, argv, e);
}

const struct build_tools *cmd_build_tools(void)
{
	static struct build_tools tools;

	tools.fabricate = command_fabricate.spec;
	tools.check_fabricate = check_fabricate;
	return &tools;
}

/* ---- results ---- */

enum { R_NAME, R_RESULT, R_SECONDS, R_BYTES, R_FOLDER, R_TEXT, R_WHY, R_COLUMNS };

static const struct column result_columns[] = {
	[R_NAME] = { "NAME", "name", COLUMN_TEXT },
	[R_RESULT] = { "RESULT", "result", COLUMN_TEXT },
	[R_SECONDS] = { NULL, "milliseconds", COLUMN_COUNT },
	[R_BYTES] = { "ON DISK", "bytes", COLUMN_SIZE },
	[R_FOLDER] = { "FOLDER", "folder", COLUMN_TEXT },
	[R_TEXT] = { NULL, "text", COLUMN_TEXT },
	[R_WHY] = { NULL, "why", COLUMN_TEXT },
};

static const char *const result_words[] = {
	[BUILD_UP_TO_DATE] = "up to date", [BUILD_MADE] = "built", [BUILD_WOULD] = "would be built",
	[BUILD_FAILED] = "failed", [BUILD_SKIPPED] = "left out",
};

struct teller {
	const struct build_options *o;
	struct table *table;
	unsigned int count[BUILD_SKIPPED + 1];
};

/* Lines of @text, each after two blanks. */
static void print_lines(FILE *out, const char *text)
{
	while (text && *text) {
		size_t len = strcspn(text, "\n");

		fprintf(out, "  %.*s\n", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

static void tell(const struct build_report *r, void *arg)
{
	struct teller *t = arg;
	const struct build_options *o = t->o;
	bool bad = r->result == BUILD_FAILED || r->result == BUILD_SKIPPED;
	const struct cell cells[R_COLUMNS] = {
		[R_NAME] = { .text = r->name }, [R_RESULT] = { .text = result_words[r->result] },
		[R_SECONDS] = { .number = (uint64_t)(r->seconds * 1000) },
		[R_BYTES] = { .number = r->bytes }, [R_FOLDER] = { .text = r->folder },
		[R_TEXT] = { .text = r->text }, [R_WHY] = { .text = r->why },
	};

	t->count[r->result]++;
	table_add(t->table, cells);
	if (o->quiet && !bad)
		return;
	if (r->result == BUILD_MADE)
		fprintf(stderr, "%s: built in %.1f s: %s\n", r->name, r->seconds, r->text);
	else
		fprintf(stderr, "%s: %s\n", r->name, result_words[r->result]);
	if (bad)
		print_lines(stderr, r->text);
	if (o->how.explain || (o->how.dry_run && r->why))
		print_lines(stderr, r->why ? r->why : "everything is as it was");
	fflush(stderr);
}

/* A night in which nothing was to be done is said in one line, and how long it took to find out. */
static void tell_nothing(const struct teller *t, int64_t began)
{
	unsigned int others = 0;

	for (size_t i = 0; i < ARRAY_SIZE(t->count); i++)
		others += i == BUILD_UP_TO_DATE ? 0 : t->count[i];
	if (others || t->count[BUILD_UP_TO_DATE] < 2 || t->o->quiet)
		return;
	fprintf(stderr, "nothing to do for %u builds, found out in %.2f s\n", t->count[BUILD_UP_TO_DATE],
		(double)(clock_ms() - began) / 1000);
}

static int status_of(enum error_kind kind)
{
	struct error e = { .errnum = EIO, .kind = kind };

	return cmd_status(&e);
}

static void list_builds(const struct builds *b, bool json)
{
	static const struct column columns[] = {
		{ "NAME", "name", COLUMN_TEXT }, { "SOURCE", "source", COLUMN_TEXT },
		{ "OUTPUTS", "outputs", COLUMN_COUNT }, { "FILE", "file", COLUMN_TEXT },
	};
	cleanup_table struct table *t = table_new(columns, ARRAY_SIZE(columns));
	cleanup_strbuf struct strbuf out = STRBUF_INIT;

	for (size_t i = 0; i < b->n; i++) {
		struct build_info info = builds_info(b, i);
		const struct cell cells[] = { { .text = info.name }, { .text = info.source },
					      { .number = info.outputs }, { .text = info.file } };

		table_add(t, cells);
		free(info.source);
	}
	table_text(t, json, &out);
	fputs(sb_str(&out), stdout);
}

/* This program: umlcage-make, whatever it was called as. */
static char *own_program(void)
{
	return realpath("/proc/self/exe", NULL);
}

void cmd_build_output(struct build_how *how, char **full)
{
	cleanup_free char *here = NULL;

	if (!how->output || how->output[0] == '/')
		return;
	here = getcwd(NULL, 0);
	*full = path_join(here ? here : ".", how->output);
	how->output = *full;
}

static int build(struct build_options *o, int argc, char **argv)
{
	cleanup_builds struct builds b = BUILDS_INIT;
	cleanup_table struct table *table = table_new(result_columns, R_COLUMNS);
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	cleanup_free char *program = own_program(), *output = NULL;
	struct teller t = { .o = o, .table = table };
	struct error e = ERROR_INIT;
	struct progress progress;
	const int64_t began = clock_ms();
	int kind = 0, ret = builds_read(&b, cmd_build_tools(), argv, (size_t)argc, &e);

	if (ret == 0)
		ret = builds_order(&b, &e);
	if (ret < 0)
		return cmd_fail(&e);
	cmd_build_output(&o->how, &output);
	if (o->list) {
		list_builds(&b, o->json);
		return EXIT_OK;
	}
	if (o->how.check) {
		if (!o->quiet)
			fprintf(stderr, "%zu build file%s, nothing wrong\n", b.n, b.n == 1 ? "" : "s");
		return EXIT_OK;
	}
	o->how.program = program;
	progress_init(&progress, STDERR_FILENO, o->quiet ? -1 : 0);
	ret = builds_run(&b, &o->how, &progress, tell, &t, &kind, &e);
	if (ret < 0)
		return cmd_fail(&e);
	tell_nothing(&t, began);
	if (o->json) {
		table_text(table, true, &out);
		fputs(sb_str(&out), stdout);
	}
	return kind ? status_of((enum error_kind)kind) : EXIT_OK;
}

static int cmd_build(const struct command *self, int argc, char **argv)
{
	const struct command *sub = argc > 1 ? cmd_find(self, argv[1]) : NULL;
	struct build_options o = { 0 };
	int status;

	if (sub) {
		cleanup_free char *name = xasprintf("%s %s", argv[0], sub->name);

		argv[1] = name;
		return sub->run(sub, argc - 1, argv + 1);
	}
	status = cmd_parse(self->spec, &o, &argc, &argv);
	if (status < 0 && o.keys) {
		builds_keys(cmd_build_tools(), stdout);
		status = EXIT_OK;
	} else if (status < 0) {
		status = build(&o, argc, argv);
	}
	strv_release(&o.how.only);
	return status;
}

static const struct command *const sub_commands[] = {
	&command_build_reproduce, &command_build_sign, &command_build_status, &command_build_timer,
	NULL,
};

const struct command command_build = {
	.name = "build", .help = "makes images by build files, every night", .spec = &build_spec,
	.run = cmd_build, .sub = sub_commands,
};

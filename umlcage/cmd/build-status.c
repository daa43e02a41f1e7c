// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage build status: what has become of the builds, as a list and as a page. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rootfs/build/build.h"
#include "umlcage/base/fd.h"
#include "umlcage/cmd/build.h"
#include "umlcage/table/table.h"

struct status_options {
	const char *output, *html;
	bool json;
};

#define S(field, kind) OPT_##kind(struct status_options, field)

static const struct opt status_opts[] = {
	{ OPT_STRING, 'o', "output", "DIR", S(output, STR), "as of umlcage build" },
	{ OPT_STRING, 0, "html", "FILE", S(html, STR), "write a page to FILE; - for standard output" },
	{ OPT_FLAG, 0, "json", NULL, S(json, BOOL), "for programs" },
	OPT_END,
};

static const struct opt_spec spec = {
	.usage = "umlcage build status [options] [FILE|DIR...]",
	.summary = "Says when builds ran, how that ended and what is the latest.",
	.groups = OPT_GROUPS({ NULL, status_opts, 0 }),
	.epilogue = "exit status: 0; 1 if the last run of one failed or there never was one",
};

enum { NAME, RESULT, CHECKED, BUILT, SECONDS, BYTES, LATEST, FOLDER, TEXT, CHANGES, COLUMNS };

static const struct column columns[] = {
	[NAME] = { "NAME", "name", COLUMN_TEXT },
	[RESULT] = { "LAST", "result", COLUMN_TEXT },
	[CHECKED] = { "RAN", "checked", COLUMN_TIME },
	[BUILT] = { "BUILT", "built", COLUMN_TIME },
	[SECONDS] = { NULL, "milliseconds", COLUMN_COUNT },
	[BYTES] = { "ON DISK", "bytes", COLUMN_SIZE },
	[LATEST] = { "LATEST", "latest", COLUMN_TEXT },
	[FOLDER] = { NULL, "folder", COLUMN_TEXT },
	[TEXT] = { NULL, "text", COLUMN_TEXT },
	[CHANGES] = { NULL, "changes", COLUMN_TEXT },
};

/* Adds a row; is it one to worry about? */
static bool add(struct table *t, const struct build_status *s)
{
	const struct build_run *last = s->nruns ? s->runs : NULL, *made = NULL;
	bool failed = last && last->failed;

	for (size_t i = 0; last && i < s->nruns && !made; i++)
		made = s->runs[i].failed ? NULL : &s->runs[i];

	const struct cell cells[COLUMNS] = {
		[NAME] = { .text = s->name },
		[RESULT] = { .text = failed ? "failed" : s->checked ? "good" : "never" },
		[CHECKED] = { .number = (uint64_t)s->checked },
		[BUILT] = { .number = made ? (uint64_t)made->when : 0 },
		[SECONDS] = { .number = last ? (uint64_t)(last->seconds * 1000) : 0 },
		[BYTES] = { .number = made ? made->bytes : 0 },
		[LATEST] = { .text = s->latest }, [FOLDER] = { .text = s->folder },
		[TEXT] = { .text = last ? last->text : NULL },
		[CHANGES] = { .text = made ? made->changes : NULL },
	};
	table_add(t, cells);
	return failed || !s->checked;
}

static int write_page(const struct build_statuses *s, const char *file, struct error *e)
{
	cleanup_free char *page = builds_page(s, (int64_t)time(NULL));

	if (!str_eq(file, "-"))
		return file_replace(AT_FDCWD, file, page, strlen(page), 0644, e);
	fputs(page, stdout);
	return 0;
}

static int run_status(const struct command *self, int argc, char **argv)
{
	cleanup_builds struct builds b = BUILDS_INIT;
	cleanup_table struct table *table = table_new(columns, COLUMNS);
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	struct build_statuses s = { NULL, 0 };
	struct status_options o = { 0 };
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv), ret;
	bool worry = false;

	if (status >= 0)
		return status;
	ret = builds_read(&b, cmd_build_tools(), argv, (size_t)argc, &e);
	if (ret == 0)
		ret = builds_status(&b, o.output, &s, &e);
	for (size_t i = 0; i < s.n && ret == 0; i++)
		worry |= add(table, &s.v[i]);
	if (ret == 0 && o.html)
		ret = write_page(&s, o.html, &e);
	build_statuses_release(&s);
	if (ret < 0)
		return cmd_fail(&e);
	if (!o.html || o.json) {
		table_text(table, o.json, &out);
		fputs(sb_str(&out), stdout);
	}
	return worry ? EXIT_FAILED : EXIT_OK;
}

const struct command command_build_status = {
	.name = "status", .help = "says how builds went", .spec = &spec, .run = run_status,
};

// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage session: what there is, and the table of what can be asked of one by its name. */
#include "umlcage/cmd/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "umlcage/table/table.h"

/* ---- list, ps ---- */

struct list_options {
	bool json;
};

static const struct opt json_opts[] = {
	{ OPT_FLAG, 0, "json", NULL, OPT_BOOL(struct list_options, json), "as a JSON array" },
	OPT_END,
};

static const struct opt_spec list_spec = {
	.usage = "umlcage session list [--json]",
	.summary = "Lists sessions.  One that is 'lost' did not end by itself: its process or its host did.",
	.groups = OPT_GROUPS({ NULL, json_opts, 0 }),
}, ps_spec = {
	.usage = "umlcage session ps [--json] [NAME]",
	.summary = "Lists the commands in sessions: attached to a terminal or pipes of the host, detached,\n"
		   "or ended since they were detached, until 'session attach' has shown how.",
	.groups = OPT_GROUPS({ NULL, json_opts, 0 }),
};

static int print(const struct table *t, bool json)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;

	table_text(t, json, &out);
	return fputs(sb_str(&out), stdout) < 0 || fflush(stdout) != 0 ? EXIT_FAILED : EXIT_OK;
}

static uint64_t number(const struct strv *words, const char *key)
{
	const char *text = session_get(words, key);
	uint64_t n;

	return text && parse_u64(text, 10, UINT64_MAX, &n) == 0 ? n : 0;
}

static const struct column list_columns[] = {
	{ "NAME", "name", COLUMN_TEXT }, { "STATE", "state", COLUMN_TEXT },
	{ "ROOT", "root", COLUMN_TEXT }, { "KEPT AS", "kept", COLUMN_TEXT },
	{ "COMMANDS", "commands", COLUMN_COUNT }, { "STARTED", "started", COLUMN_TIME },
	{ "PID", "pid", COLUMN_PID }, { NULL, "reason", COLUMN_TEXT },
};

static void list_one(struct table *t, const char *name)
{
	cleanup_session_record struct session_record r = SESSION_RECORD_INIT;
	cleanup_strv struct strv info = STRV_INIT;
	bool lives = session_request(name, "info", NULL, &info, NULL) == 0;

	/* it may have ended since its name was read */
	if (session_read_record(name, &r, NULL) < 0)
		return;
	table_add(t, (const struct cell[ARRAY_SIZE(list_columns)]){
		{ .text = name }, { .text = lives ? session_get(&info, "state") : "lost" },
		{ .text = session_get(&r.words, "root") }, { .text = session_get(&r.words, "keep") },
		{ .number = number(&info, "commands") }, { .number = number(&r.words, "started") },
		{ .number = number(&info, "pid") }, { .text = session_get(&r.words, "end") },
	});
}

static int run_list(const struct command *self, int argc, char **argv)
{
	cleanup_table struct table *t = table_new(list_columns, ARRAY_SIZE(list_columns));
	cleanup_strv struct strv names = STRV_INIT;
	struct list_options o = { false };
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv);

	if (status >= 0)
		return status;
	if (argc > 0) {
		err_usage(&e, "'%s' is one argument too many", argv[0]);
		return cmd_fail(&e);
	}
	if (session_names(&names, &e) < 0)
		return cmd_fail(&e);
	for (size_t i = 0; i < names.n; i++)
		list_one(t, names.v[i]);
	return print(t, o.json);
}

static const struct column ps_columns[] = {
	{ "SESSION", "session", COLUMN_TEXT }, { "NUMBER", "number", COLUMN_COUNT },
	{ "STATE", "state", COLUMN_TEXT }, { "COMMAND", "command", COLUMN_TEXT },
};

/* "NUMBER STATE COMMAND" of each. */
static void ps_one(struct table *t, const char *name, const struct strv *info)
{
	cleanup_strv struct strv commands = STRV_INIT;

	session_get_all(info, "command", &commands);
	for (size_t i = 0; i < commands.n; i++) {
		const char *blank = strchr(commands.v[i], ' ');
		const char *state = blank ? blank + 1 : "";
		cleanup_free char *word = xstrndup(state, strcspn(state, " "));

		blank = strchr(state, ' ');
		table_add(t, (const struct cell[ARRAY_SIZE(ps_columns)]){
			{ .text = name }, { .number = strtoull(commands.v[i], NULL, 10) },
			{ .text = word }, { .text = blank ? blank + 1 : NULL },
		});
	}
}

static int run_ps(const struct command *self, int argc, char **argv)
{
	cleanup_table struct table *t = table_new(ps_columns, ARRAY_SIZE(ps_columns));
	cleanup_strv struct strv names = STRV_INIT;
	struct list_options o = { false };
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv);

	if (status >= 0)
		return status;
	if (argc > 0)
		strv_add(&names, argv[0]);
	else if (session_names(&names, &e) < 0)
		return cmd_fail(&e);
	for (size_t i = 0; i < names.n; i++) {
		cleanup_strv struct strv info = STRV_INIT;

		if (session_request(names.v[i], "info", NULL, &info, argc ? &e : NULL) == 0)
			ps_one(t, names.v[i], &info);
		else if (argc)
			return cmd_fail(&e);
	}
	return print(t, o.json);
}

/* ---- the table ---- */

static const struct command command_list = {
	"list", "lists sessions", &list_spec, run_list, NULL, NULL,
}, command_ps = {
	"ps", "lists the commands that run in sessions", &ps_spec, run_ps, NULL, NULL,
};

static const struct command *const subcommands[] = {
	&command_session_start, &command_session_exec, &command_session_shell, &command_session_attach,
	&command_session_console,
	&command_list,
	&command_ps, &command_session_top, &command_session_copy, &command_session_commit,
	&command_session_snapshot, &command_session_snapshots, &command_session_restore,
	&command_session_logs, &command_session_stop, &command_session_kill,
	&command_session_wait, &command_session_pause, &command_session_resume,
	&command_session_publish, &command_session_unpublish, &command_session_recover,
	&command_session_remove, NULL,
};

const struct command command_session = {
	.name = "session",
	.help = "keeps cages running, by name",
	.summary = "Cages that go on without a terminal: started once, then commands in them at once.",
	.run = cmd_dispatch,
	.sub = subcommands,
};

// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage session: what there is, and what can be asked of one by its name. */
#include "umlcage/cmd/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hostfs-bridge/roots/roots.h"
#include "hostfs-bridge/share/share.h"
#include "umlcage/base/fd.h"
#include "umlcage/table/table.h"

enum { FOLLOW_MS = 200, LOG_PIECE = 1 << 16, KILL_MS = 10000 };

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
	.summary = "Lists the commands that run in sessions.",
	.groups = OPT_GROUPS({ NULL, json_opts, 0 }),
};

static int print(const struct table *t, bool json)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;

	table_text(t, json, &out);
	return fputs(sb_str(&out), stdout) < 0 || fflush(stdout) != 0 ? EXIT_FAILED : EXIT_OK;
}

static int ask(const char *name, const char *verb, const char *word, struct strv *answer,
	       struct error *e)
{
	cleanup_strv struct strv words = STRV_INIT;
	cleanup_close int fd = session_connect(name, e);

	strv_add(&words, verb);
	if (word)
		strv_add(&words, word);
	return fd < 0 ? fd : session_ask(fd, &words, answer, e);
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
	bool lives = ask(name, "info", NULL, &info, NULL) == 0;

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
	{ "COMMAND", "command", COLUMN_TEXT },
};

/* "NUMBER COMMAND" of each. */
static void ps_one(struct table *t, const char *name, const struct strv *info)
{
	cleanup_strv struct strv commands = STRV_INIT;

	session_get_all(info, "command", &commands);
	for (size_t i = 0; i < commands.n; i++) {
		const char *blank = strchr(commands.v[i], ' ');

		table_add(t, (const struct cell[ARRAY_SIZE(ps_columns)]){
			{ .text = name }, { .number = strtoull(commands.v[i], NULL, 10) },
			{ .text = blank ? blank + 1 : NULL },
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

		if (ask(names.v[i], "info", NULL, &info, argc ? &e : NULL) == 0)
			ps_one(t, names.v[i], &info);
		else if (argc)
			return cmd_fail(&e);
	}
	return print(t, o.json);
}

/* ---- requests with a plain answer ---- */

static const struct opt_spec pause_spec = {
	.usage = "umlcage session pause NAME",
	.summary = "Stops every process of a session where it is, until 'session resume'.",
}, resume_spec = {
	.usage = "umlcage session resume NAME",
	.summary = "Lets a paused session go on.",
}, publish_spec = {
	.usage = "umlcage session publish NAME [ADDR:]HOSTPORT:GUESTPORT[/udp]",
	.summary = "Lets the host reach a port of the session from now on.",
}, unpublish_spec = {
	.usage = "umlcage session unpublish NAME [ADDR:]HOSTPORT:GUESTPORT[/udp]",
	.summary = "Takes a published port back; connections that there are go on.",
};

static int run_plain(const struct command *self, int argc, char **argv)
{
	cleanup_strv struct strv answer = STRV_INIT;
	struct error e = ERROR_INIT;
	const char *name;
	int status = cmd_parse(self->spec, NULL, &argc, &argv);

	if (status < 0)
		status = session_operand(argc, argv, &name);
	if (status < 0)
		status = ask(name, self->name, NULL, &answer, &e) < 0 ? cmd_fail(&e) : EXIT_OK;
	return status;
}

static int run_publish(const struct command *self, int argc, char **argv)
{
	cleanup_strv struct strv answer = STRV_INIT;
	cleanup_free char *word = NULL;
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, NULL, &argc, &argv), ret;

	if (status >= 0)
		return status;
	if (argc != 2) {
		err_usage(&e, "give the NAME of a session and a port; see 'umlcage session %s --help'",
			  self->name);
		return cmd_fail(&e);
	}
	word = xasprintf("port=%s", argv[1]);
	ret = ask(argv[0], self->name, word, &answer, &e);
	return ret < 0 ? cmd_fail(&e) : EXIT_OK;
}

/* ---- stop, wait, kill, remove ---- */

static const struct opt_spec stop_spec = {
	.usage = "umlcage session stop NAME...",
	.summary = "Ends sessions: their processes, then everything written back.",
}, wait_spec = {
	.usage = "umlcage session wait NAME...",
	.summary = "Waits until sessions have ended.",
}, kill_spec = {
	.usage = "umlcage session kill NAME...",
	.summary = "Ends sessions at once.  What they had not written back is lost.",
}, remove_spec = {
	.usage = "umlcage session remove NAME...",
	.summary = "Forgets sessions that were lost.",
};

/* The connection is closed when the session has ended; the record that stays says what went wrong. */
static int until_end(const char *name, const char *verb, struct error *e)
{
	cleanup_session_record struct session_record r = SESSION_RECORD_INIT;
	cleanup_strv struct strv words = STRV_INIT, answer = STRV_INIT;
	cleanup_close int fd = session_connect(name, e);
	int ret;

	if (fd < 0)
		return fd;
	strv_add(&words, verb);
	ret = session_ask(fd, &words, &answer, e);
	if (ret != -EPIPE)
		return ret < 0 ? ret : err_set(e, EPROTO, "the session gave an answer that is none");
	err_release(e);
	if (session_read_record(name, &r, NULL) < 0 || !session_get(&r.words, "end"))
		return 0;
	return err_set(e, EIO, "the session '%s' did not end well: %s", name, session_get(&r.words, "end"));
}

static int stop(const char *name, struct error *e)
{
	return until_end(name, "stop", e);
}

static int wait_end(const char *name, struct error *e)
{
	return until_end(name, "wait", e);
}

/* Whoever holds the other end of the socket is the session; its kernel dies with it. */
static int kill_session(const char *name, struct error *e)
{
	cleanup_close int fd = session_connect(name, e), pidfd = -1;
	struct pollfd over = { .events = POLLIN };
	pid_t pid;
	int ret;

	if (fd < 0)
		return fd;
	ret = session_pid(fd, &pid);
	if (ret < 0)
		return err_sys(e, -ret, "cannot tell which process the session '%s' is", name);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0 || syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) < 0)
		return errno == ESRCH ? 0 : err_sys(e, errno, "cannot end process %d", (int)pid);
	over.fd = pidfd;
	if (poll(&over, 1, KILL_MS) == 0)
		return err_set(e, ETIMEDOUT, "process %d does not end", (int)pid);
	ret = session_forget(name, e);
	if (ret == -ENOENT)
		err_release(e);
	return ret == -ENOENT ? 0 : ret;
}

static int each(const struct command *self, int argc, char **argv,
		int (*fn)(const char *name, struct error *e))
{
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, NULL, &argc, &argv);

	if (status >= 0)
		return status;
	if (argc < 1) {
		err_usage(&e, "there is no NAME of a session; see 'umlcage session list'");
		return cmd_fail(&e);
	}
	status = EXIT_OK;
	for (int i = 0; i < argc; i++)
		if (fn(argv[i], &e) < 0)
			status = cmd_fail(&e);
	return status;
}

static int run_stop(const struct command *self, int argc, char **argv)
{
	return each(self, argc, argv, stop);
}

static int run_wait(const struct command *self, int argc, char **argv)
{
	return each(self, argc, argv, wait_end);
}

static int run_kill(const struct command *self, int argc, char **argv)
{
	return each(self, argc, argv, kill_session);
}

static int run_remove(const struct command *self, int argc, char **argv)
{
	return each(self, argc, argv, session_forget);
}

/* ---- logs ---- */

struct log_options {
	bool follow;
};

static const struct opt log_opts[] = {
	{ OPT_FLAG, 'f', "follow", NULL, OPT_BOOL(struct log_options, follow),
	  "go on until the session has ended" },
	OPT_END,
};

static const struct opt_spec logs_spec = {
	.usage = "umlcage session logs [--follow] NAME",
	.summary = "Prints a session's log: its kernel's console, and what the session itself says.",
	.groups = OPT_GROUPS({ NULL, log_opts, 0 }),
};

static int copy_log(int log, int session, struct error *e)
{
	static char piece[LOG_PIECE];
	struct pollfd over = { .fd = session, .events = POLLIN };

	for (bool last = session < 0;;) {
		ssize_t n = read(log, piece, sizeof(piece));
		struct stat st;

		if (n < 0 && errno != EINTR)
			return err_sys(e, errno, "cannot read the log");
		if (n > 0 && write_full(STDOUT_FILENO, piece, (size_t)n) < 0)
			return err_sys(e, EPIPE, "cannot write to standard output");
		if (n != 0)
			continue;
		if (last)
			return 0;
		/* it was begun anew */
		if (fstat(log, &st) == 0 && lseek(log, 0, SEEK_CUR) > st.st_size)
			(void)lseek(log, 0, SEEK_SET);
		last = poll(&over, 1, FOLLOW_MS) > 0;
	}
}

static int logs(const char *name, bool follow, struct error *e)
{
	cleanup_session_record struct session_record r = SESSION_RECORD_INIT;
	cleanup_strv struct strv words = STRV_INIT;
	cleanup_free char *path = NULL;
	cleanup_close int log = -1, session = -1;
	int ret = session_log_path(name, &path, e);

	if (ret < 0)
		return ret;
	if (session_read_record(name, &r, NULL) < 0)
		return session_absent(name, e);
	log = open(path, O_RDONLY | O_CLOEXEC);
	if (log < 0)
		return err_sys(e, errno, "cannot open the log '%s'", path);
	session = follow ? session_connect(name, NULL) : -1;
	if (session >= 0)
		session_watch(session);
	return copy_log(log, session, e);
}

static int run_logs(const struct command *self, int argc, char **argv)
{
	struct log_options o = { false };
	struct error e = ERROR_INIT;
	const char *name;
	int status = cmd_parse(self->spec, &o, &argc, &argv);

	if (status < 0)
		status = session_operand(argc, argv, &name);
	if (status < 0)
		status = logs(name, o.follow, &e) < 0 ? cmd_fail(&e) : EXIT_OK;
	return status;
}

/* ---- recover ---- */

static const struct opt_spec recover_spec = {
	.usage = "umlcage session recover NAME",
	.summary = "Starts a session that was lost again, as it was started before, with the changes\n"
		   "that it kept; says what is lost.",
};

static void say_problem(const struct share_problem *p, void *arg)
{
	(void)arg;
	fprintf(stderr, "umlcage: %s: %s: %s\n", p->path, p->what,
		p->remedy ? p->remedy : "only you can mend it");
}

/* The layer as its last cage left it, made whole. */
static int mend(const char *keep, struct error *e)
{
	struct share_report report = { 0 };
	cleanup_free char *path = NULL;
	int ret = root_path(STORE_CHANGES, keep, &path, e);

	if (ret == 0)
		ret = share_verify(path, true, false, say_problem, NULL, &report, e);
	if (ret < 0)
		return err_wrap(e, "the changes kept as '%s' cannot be restored", keep);
	fprintf(stderr, "umlcage: the changes kept as '%s' are restored: %llu entries, %llu mended; what "
		"was not written back when it was lost is gone\n", keep,
		(unsigned long long)report.entries, (unsigned long long)report.repaired);
	return 0;
}

static int start_again(const struct session_record *r, struct error *e)
{
	const char *folder = session_get(&r->words, "folder"), *keep = session_get(&r->words, "keep");
	cleanup_strv struct strv words = STRV_INIT;
	int ret = 0;

	if (keep)
		ret = mend(keep, e);
	else
		fputs("umlcage: its changes were not kept: they are lost, and it starts from its root\n",
		      stderr);
	if (ret < 0)
		return ret;
	if (folder && chdir(folder) < 0)
		return err_sys(e, errno, "cannot enter '%s', where it was started", folder);
	if (str_eq(session_get(&r->words, "verb"), "run")) {
		strv_add(&words, "umlcage run");
		session_get_all(&r->words, "word", &words);
		strv_add(&words, "--");
		strv_add(&words, "true");
		return command_run.run(&command_run, (int)words.n, words.v);
	}
	strv_add(&words, "umlcage session start");
	session_get_all(&r->words, "word", &words);
	return command_session_start.run(&command_session_start, (int)words.n, words.v);
}

static int run_recover(const struct command *self, int argc, char **argv)
{
	cleanup_session_record struct session_record r = SESSION_RECORD_INIT;
	cleanup_close int fd = -1;
	struct error e = ERROR_INIT;
	const char *name;
	int status = cmd_parse(self->spec, NULL, &argc, &argv), ret;

	if (status < 0)
		status = session_operand(argc, argv, &name);
	if (status >= 0)
		return status;
	fd = session_connect(name, NULL);
	if (fd >= 0) {
		err_set(&e, EEXIST, "the session '%s' runs: there is nothing to recover", name);
		return cmd_fail(&e);
	}
	if (session_read_record(name, &r, NULL) < 0) {
		session_absent(name, &e);
		return cmd_fail(&e);
	}
	ret = start_again(&r, &e);
	return ret < 0 ? cmd_fail(&e) : ret;
}

/* ---- the table ---- */

static const struct command command_list = {
	"list", "lists sessions", &list_spec, run_list, NULL, NULL,
}, command_ps = {
	"ps", "lists the commands that run in sessions", &ps_spec, run_ps, NULL, NULL,
}, command_stop = {
	"stop", "ends sessions", &stop_spec, run_stop, NULL, NULL,
}, command_wait = {
	"wait", "waits until sessions have ended", &wait_spec, run_wait, NULL, NULL,
}, command_kill = {
	"kill", "ends sessions at once", &kill_spec, run_kill, NULL, NULL,
}, command_remove = {
	"remove", "forgets sessions that were lost", &remove_spec, run_remove, NULL, NULL,
}, command_recover = {
	"recover", "starts a lost session again, with what it kept", &recover_spec, run_recover,
	NULL, NULL,
}, command_pause = {
	"pause", "stops a session where it is", &pause_spec, run_plain, NULL, NULL,
}, command_resume = {
	"resume", "lets a paused session go on", &resume_spec, run_plain, NULL, NULL,
}, command_publish = {
	"publish", "lets the host reach a port of a session", &publish_spec, run_publish, NULL, NULL,
}, command_unpublish = {
	"unpublish", "takes a published port back", &unpublish_spec, run_publish, NULL, NULL,
}, command_logs = {
	"logs", "prints a session's log", &logs_spec, run_logs, NULL, NULL,
};

static const struct command *const subcommands[] = {
	&command_session_start, &command_session_exec, &command_session_shell, &command_list,
	&command_ps, &command_session_copy, &command_session_commit, &command_logs, &command_stop,
	&command_kill, &command_wait, &command_pause, &command_resume, &command_publish,
	&command_unpublish, &command_recover, &command_remove, NULL,
};

const struct command command_session = {
	.name = "session",
	.help = "keeps cages running, by name",
	.summary = "Cages that go on without a terminal: started once, then commands in them at once.",
	.run = cmd_dispatch,
	.sub = subcommands,
};

// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage session logs, recover: what sessions leave, and starting a lost one again. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostfs-bridge/roots/roots.h"
#include "hostfs-bridge/share/share.h"
#include "umlcage/base/fd.h"
#include "umlcage/cmd/session.h"

enum { FOLLOW_MS = 200, LOG_PIECE = 1 << 16 };

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

/* Its own words; one snapshot takes the place of another one. */
static void add_words(const struct session_record *r, const char *snapshot, struct strv *words)
{
	cleanup_strv struct strv all = STRV_INIT;

	session_get_all(&r->words, "word", &all);
	for (size_t i = 0; i < all.n; i++) {
		if (snapshot && str_eq(all.v[i], "--snapshot"))
			i++;
		else if (!snapshot || !str_starts(all.v[i], "--snapshot="))
			strv_add(words, all.v[i]);
	}
	if (snapshot)
		strv_addf(words, "--snapshot=%s", snapshot);
}

int session_again(const struct session_record *r, const char *snapshot, struct error *e)
{
	const char *folder = session_get(&r->words, "folder");
	cleanup_strv struct strv words = STRV_INIT;

	if (folder && chdir(folder) < 0)
		return err_sys(e, errno, "cannot enter '%s', where it was started", folder);
	if (str_eq(session_get(&r->words, "verb"), "run")) {
		strv_add(&words, "umlcage run");
		add_words(r, snapshot, &words);
		strv_add(&words, "--");
		strv_add(&words, "true");
		return command_run.run(&command_run, (int)words.n, words.v);
	}
	strv_add(&words, "umlcage session start");
	add_words(r, snapshot, &words);
	return command_session_start.run(&command_session_start, (int)words.n, words.v);
}

static int start_again(const struct session_record *r, struct error *e)
{
	const char *keep = session_get(&r->words, "keep");
	int ret = 0;

	if (keep)
		ret = mend(keep, e);
	else
		fputs("umlcage: its changes were not kept: they are lost, and it starts from its root\n",
		      stderr);
	return ret < 0 ? ret : session_again(r, NULL, e);
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

const struct command command_session_logs = {
	"logs", "prints a session's log", &logs_spec, run_logs, NULL, NULL,
}, command_session_recover = {
	"recover", "starts a lost session again, with what it kept", &recover_spec, run_recover,
	NULL, NULL,
};

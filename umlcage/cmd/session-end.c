// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage session stop, wait, kill, remove: how sessions end, and what comes after. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/cmd/session.h"

enum { KILL_MS = 10000 };

struct stop_options {
	bool at_login;
};

static const struct opt stop_opts[] = {
	{ OPT_FLAG, 0, "at-login", NULL, OPT_BOOL(struct stop_options, at_login),
	  "and have them not be started at login any more" },
	OPT_END,
};

static const struct opt_spec stop_spec = {
	.usage = "umlcage session stop [--at-login] NAME...",
	.summary = "Ends sessions: their processes, then everything written back.",
	.groups = OPT_GROUPS({ NULL, stop_opts, 0 }),
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
int session_until_end(const char *name, const char *verb, struct error *e)
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
	return session_until_end(name, "stop", e);
}

/* The unit has ended it, if it was the unit that started it. */
static int stop_for_good(const char *name, struct error *e)
{
	int ret = session_not_at_login(name, e);

	if (ret < 0)
		return ret;
	ret = stop(name, e);
	if (ret == -ENOENT)
		err_release(e);
	return ret == -ENOENT ? 0 : ret;
}

static int wait_end(const char *name, struct error *e)
{
	return session_until_end(name, "wait", e);
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
	struct stop_options o = { false };
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv);

	if (status >= 0)
		return status;
	if (argc < 1) {
		err_usage(&e, "there is no NAME of a session; see 'umlcage session list'");
		return cmd_fail(&e);
	}
	status = EXIT_OK;
	for (int i = 0; i < argc; i++)
		if ((o.at_login ? stop_for_good : fn)(argv[i], &e) < 0)
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

const struct command command_session_stop = {
	"stop", "ends sessions", &stop_spec, run_stop, NULL, NULL,
}, command_session_wait = {
	"wait", "waits until sessions have ended", &wait_spec, run_wait, NULL, NULL,
}, command_session_kill = {
	"kill", "ends sessions at once", &kill_spec, run_kill, NULL, NULL,
}, command_session_remove = {
	"remove", "forgets sessions that were lost", &remove_spec, run_remove, NULL, NULL,
};

// SPDX-License-Identifier: GPL-2.0-or-later
/* A client's side of a session's socket: see session.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/signals.h"
#include "umlcage/cage/terminal.h"
#include "umlcage/session/private.h"

enum { INTERRUPTS_MAX = 3 };

static int lost(const char *name, struct error *e)
{
	cleanup_session_record struct session_record r = SESSION_RECORD_INIT;
	const char *end;

	if (session_read_record(name, &r, NULL) < 0)
		return session_absent(name, e);
	end = session_get(&r.words, "end");
	err_set(e, ESRCH, "the session '%s' was lost%s%s", name, end ? ": " : ", it did not end by itself",
		end ? end : "");
	return err_hint(e, "'umlcage session recover %s' starts it again, 'umlcage session remove %s' "
			"forgets it", name, name);
}

int session_connect(const char *name, struct error *e)
{
	cleanup_close int dir = -1, fd = -1;
	struct sockaddr_un sun;
	int ret = session_check_name(name, e);

	if (ret == 0)
		ret = session_address(name, &sun, &dir, e);
	if (ret < 0)
		return ret;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(e, errno, "cannot make a socket");
	if (connect(fd, (const void *)&sun, sizeof(sun)) == 0)
		return steal_fd(&fd);
	if (errno == ENOENT || errno == ECONNREFUSED)
		return lost(name, e);
	return err_sys(e, errno, "cannot reach the session '%s'", name);
}

int session_pid(int fd, pid_t *pid)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	*pid = cred.pid;
	return 0;
}

static int take_error(const struct strv *words, struct error *e)
{
	const char *text = session_get(words, "text"), *number = session_get(words, "errno");
	uint64_t errnum;

	if (!number || parse_u64(number, 10, 4095, &errnum) < 0 || errnum == 0)
		errnum = EPROTO;
	return err_set(e, (int)errnum, "%s", text ? text : "the session refused");
}

static int send_request(int fd, const struct strv *words, const int *fds, size_t n, struct error *e)
{
	int ret = wire_send(fd, words, fds, n);

	if (ret == -EMSGSIZE)
		return err_set(e, EMSGSIZE, "the command line and its environment are larger than %d MiB",
			       WIRE_MAX >> 20);
	return ret < 0 ? err_set(e, EPIPE, "the session has ended") : 0;
}

int session_ask(int fd, const struct strv *words, struct strv *answer, struct error *e)
{
	struct wire w = WIRE_INIT;
	int ret = send_request(fd, words, NULL, 0, e), next = 0;

	if (ret < 0)
		return ret;
	do
		ret = interrupted() ? -EINTR : wire_receive(fd, &w);
	while (ret == -EAGAIN || (ret > 0 && (next = wire_next(&w, answer)) == 0));
	wire_release(&w);
	if (ret == -EINTR)
		return err_set(e, EINTR, "interrupted");
	if (next <= 0 || !answer->n)
		return err_set(e, EPIPE, "the session has ended");
	return strcmp(answer->v[0], "error") == 0 ? take_error(answer, e) : 0;
}

void session_watch(int fd)
{
	cleanup_strv struct strv words = STRV_INIT;

	strv_add(&words, "wait");
	(void)wire_send(fd, &words, NULL, 0);
}

/* ---- a command ---- */

struct foreground {
	int fd, index;
	struct wire wire;
	struct signals signals;
	struct terminal *terminal;	/* NULL: it has none, or not one of ours */
	int input;			/* stdin where that is a terminal, else -1 */
	bool held;			/* the session does not read from it */
	unsigned int interrupts;
	bool over;
	unsigned int detached;
	struct cage_exit *exit;
};

static void tell(struct foreground *f, const char *verb, int number)
{
	cleanup_strv struct strv words = STRV_INIT;

	strv_add(&words, verb);
	if (number)
		strv_addf(&words, "number=%d", number);
	/* a session that is gone is seen when its answer does not come */
	(void)wire_send(f->fd, &words, NULL, 0);
}

/* The session cannot know who has the terminal, so it is told when to leave it alone. */
static void hold_input(struct foreground *f, bool hold)
{
	if (f->input < 0 || f->held == hold)
		return;
	f->held = hold;
	tell(f, hold ? "hold" : "release", 0);
}

/* As a shell's job: the terminal is given back first. */
static void stop(struct foreground *f)
{
	bool had = f->terminal != NULL;

	hold_input(f, true);
	terminal_close(f->terminal);
	f->terminal = NULL;
	(void)raise(SIGSTOP);
	if (had)
		f->terminal = terminal_open(f->input);
}

static int take_signal(struct foreground *f, int sig, struct error *e)
{
	switch (sig) {
	case SIGCONT:
		return 0;
	case SIGWINCH:
		tell(f, "resize", 0);
		return 0;
	case SIGTSTP:
		stop(f);
		return 0;
	default:
		break;
	}
	if ((sig == SIGINT || sig == SIGTERM) && ++f->interrupts >= INTERRUPTS_MAX)
		return err_set(e, EINTR, "interrupted");
	tell(f, "signal", sig);
	return 0;
}

static int number(const struct strv *words, const char *key)
{
	const char *text = session_get(words, key);
	uint64_t n;

	return text && parse_u64(text, 10, 1 << 20, &n) == 0 ? (int)n : 0;
}

static void take_exit(struct cage_exit *x, const struct strv *words)
{
	const char *reason = session_get(words, "reason");

	*x = (struct cage_exit){
		.status = number(words, "status"), .signal = number(words, "signal"),
		.output_error = number(words, "output"), .timed_out = number(words, "timeout") != 0,
		.oom = number(words, "oom") != 0, .full = number(words, "full") != 0,
		.reason = reason ? xstrdup(reason) : NULL,
	};
}

static int take_answer(struct foreground *f, struct error *e)
{
	cleanup_strv struct strv words = STRV_INIT;
	int ret = wire_receive(f->fd, &f->wire);

	if (ret == -EAGAIN)
		return 0;
	if (ret <= 0)
		return err_set(e, EPIPE, "the session ended while the command ran");
	while (!f->over && wire_next(&f->wire, &words) > 0 && words.n) {
		if (strcmp(words.v[0], "error") == 0)
			return take_error(&words, e);
		if (strcmp(words.v[0], "exited") == 0) {
			take_exit(f->exit, &words);
			f->over = true;
		} else if (strcmp(words.v[0], "detached") == 0) {
			f->detached = (unsigned int)number(&words, "number");
			f->over = true;
		}
	}
	return 0;
}

static int turn(struct foreground *f, struct pollset *ps, struct error *e)
{
	int ret, sig;

	pollset_reset(ps);
	f->index = pollset_add(ps, f->fd, POLLIN);
	signals_fill(&f->signals, ps);
	if (f->terminal)
		pollset_until(ps, terminal_follow(f->terminal));
	if (f->input >= 0) {
		hold_input(f, in_background(f->input));
		if (f->held)
			pollset_until(ps, clock_ms() + 250);
	}
	ret = pollset_wait(ps);
	if (ret < 0 && ret != -EINTR)
		return err_sys(e, -ret, "cannot wait for the command");
	ret = 0;
	if (pollset_revents(ps, f->signals.index))
		while (ret == 0 && (sig = signals_next(&f->signals)) > 0)
			ret = take_signal(f, sig, e);
	if (ret == 0 && pollset_revents(ps, f->index))
		ret = take_answer(f, e);
	return ret;
}

/* What is common to requests that bring descriptors. */
static void add_stdio(const struct session_exec *x, struct strv *words, int fds[3], size_t *n)
{
	char mask[] = "000";

	*n = 0;
	for (size_t i = 0; i < 3; i++)
		if (x->fds[i] >= 0 && fcntl(x->fds[i], F_GETFD) >= 0) {
			mask[i] = '1';
			fds[(*n)++] = x->fds[i];
		}
	strv_addf(words, "stdio=%s", mask);
	if (x->keys && x->fds[0] >= 0 && isatty(x->fds[0]))
		strv_addf(words, "keys=%s", x->keys);
}

static void make_request(const struct session_exec *x, struct strv *words)
{
	strv_add(words, "exec");
	for (char *const *arg = x->argv; *arg; arg++)
		strv_addf(words, "arg=%s", *arg);
	for (char *const *env = x->env; env && *env; env++)
		strv_addf(words, "env=%s", *env);
	if (x->cwd)
		strv_addf(words, "cwd=%s", x->cwd);
	if (x->user)
		strv_addf(words, "user=%s", x->user);
	if (x->changes)
		strv_add(words, "changes=1");
	if (x->tty)
		strv_add(words, "tty=1");
	if (x->begin_detached)
		strv_add(words, "detached=1");
	if (x->timeout)
		strv_addf(words, "timeout=%llu", (unsigned long long)x->timeout);
}

/* Sends the request and is the command's foreground until it ends or is left. */
static int converse(int fd, struct strv *words, struct session_exec *what, struct cage_exit *exit,
		    struct error *e)
{
	static const int taken[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH,
				     SIGCONT, SIGTSTP };
	struct foreground f = { .fd = fd, .wire = WIRE_INIT, .exit = exit,
				.input = what->fds[0] >= 0 && isatty(what->fds[0]) ? what->fds[0] : -1 };
	struct pollset ps = POLLSET_INIT;
	int fds[3], ret;
	size_t n;

	*exit = (struct cage_exit){ 0 };
	ret = signals_open(&f.signals, taken, ARRAY_SIZE(taken));
	if (ret < 0)
		return err_sys(e, -ret, "cannot watch for signals");
	add_stdio(what, words, fds, &n);
	ret = send_request(fd, words, fds, n, e);
	if (ret == 0 && what->tty && !what->begin_detached)
		f.terminal = terminal_open(what->fds[0]);
	while (ret == 0 && !f.over)
		ret = turn(&f, &ps, e);
	terminal_close(f.terminal);
	signals_close(&f.signals);
	wire_release(&f.wire);
	pollset_release(&ps);
	what->detached = f.detached;
	return ret;
}

int session_exec(int fd, struct session_exec *what, struct cage_exit *exit, struct error *e)
{
	cleanup_strv struct strv words = STRV_INIT;

	make_request(what, &words);
	return converse(fd, &words, what, exit, e);
}

int session_attach(int fd, const char *number, struct session_exec *what, struct cage_exit *exit,
		   struct error *e)
{
	cleanup_strv struct strv words = STRV_INIT;

	strv_add(&words, "attach");
	if (number)
		strv_addf(&words, "number=%s", number);
	what->tty = true;
	return converse(fd, &words, what, exit, e);
}

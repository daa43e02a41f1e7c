// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One command in a cage: its stdio, signals, terminal and time limit on the
 * supervisor's side.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/pump.h"
#include "umlcage/cage/internal.h"

enum { GRACE_MS = 5000, LINGER_MS = 2000 };

struct exec {
	struct cage *cage;
	const struct cage_exec *what;
	uint32_t id;
	struct pump in, out, err;
	bool in_open, out_open, err_open;	/* the stream has been claimed (or is not wanted) */
	int signals, signals_index;
	unsigned int interrupts;	/* SIGINT and SIGTERM so far */
	bool resized;
	bool started, exited;
	int64_t kill_ms;		/* when to send SIGKILL after a time limit; 0: not yet */
	struct cage_exit *exit;
	struct error *e;
	int failed;
};

static void send_number(struct exec *x, enum proto_type type, enum proto_field_id id,
			uint64_t value)
{
	struct proto_msg m = PROTO_MSG_INIT;

	proto_begin(&m, type);
	proto_number(&m, F_EXEC, x->id);
	proto_number(&m, id, value);
	(void)control_send(&x->cage->control, &m);
	proto_release(&m);
}

static void send_winsize(struct exec *x)
{
	struct proto_msg m = PROTO_MSG_INIT;
	unsigned int rows, cols;

	if (!terminal_size(x->what->stdin_fd, &rows, &cols))
		return;
	proto_begin(&m, MSG_WINSIZE);
	proto_number(&m, F_EXEC, x->id);
	proto_number(&m, F_ROWS, rows);
	proto_number(&m, F_COLS, cols);
	(void)control_send(&x->cage->control, &m);
	proto_release(&m);
}

static int send_exec(struct exec *x)
{
	const struct cage_exec *w = x->what;
	struct proto_msg m = PROTO_MSG_INIT;
	unsigned int rows, cols;
	int ret;

	proto_begin(&m, MSG_EXEC);
	proto_number(&m, F_EXEC, x->id);
	for (char *const *arg = w->argv; *arg; arg++)
		proto_string(&m, F_ARG, *arg);
	for (char *const *env = w->env; env && *env; env++)
		proto_string(&m, F_ENV, *env);
	if (w->cwd)
		proto_string(&m, F_CWD, w->cwd);
	if (w->user)
		proto_string(&m, F_USER, w->user);
	proto_number(&m, F_STDIN, w->stdin_fd >= 0);
	proto_number(&m, F_TTY, w->tty);
	if (w->tty && terminal_size(w->stdin_fd, &rows, &cols)) {
		proto_number(&m, F_ROWS, rows);
		proto_number(&m, F_COLS, cols);
	}
	ret = control_send(&x->cage->control, &m);
	proto_release(&m);
	return ret < 0 ? err_set(x->e, -ret, "the command line and its environment are larger than "
				 "1 MiB") : 0;
}

static void sink_stdout(const char *data, size_t len, void *arg)
{
	struct exec *x = arg;

	x->what->output(1, data, len, x->what->output_arg);
}

static void sink_stderr(const char *data, size_t len, void *arg)
{
	struct exec *x = arg;

	x->what->output(2, data, len, x->what->output_arg);
}

static void sink_nothing(const char *data, size_t len, void *arg)
{
	(void)data;
	(void)len;
	(void)arg;
}

/* Connects a stream that has arrived with where its bytes go. */
static void open_output(struct exec *x, struct pump *p, int stream, int fd,
			void (*sink)(const char *, size_t, void *))
{
	bool shared = false;
	int own;

	if (x->what->output) {
		pump_open_sink(p, stream, sink, x);
	} else if (fd < 0 || (own = pump_own(fd, true, &shared)) < 0) {
		pump_open_sink(p, stream, sink_nothing, x);
	} else {
		pump_open_shared(p, stream, own, false, shared);
	}
}

static void claim(struct exec *x)
{
	struct control *c = &x->cage->control;
	int s;

	if (!x->in_open && (s = control_claim(c, x->id, CHAN_STDIN)) >= 0) {
		bool shared;
		int own = pump_own(x->what->stdin_fd, false, &shared);

		if (own >= 0)
			pump_open_shared(&x->in, own, s, true, false);
		else
			close_fd(&s);
		x->in_open = true;
	}
	if (!x->out_open && (s = control_claim(c, x->id, CHAN_STDOUT)) >= 0) {
		open_output(x, &x->out, s, x->what->stdout_fd, sink_stdout);
		x->out_open = true;
	}
	if (!x->err_open && (s = control_claim(c, x->id, CHAN_STDERR)) >= 0) {
		open_output(x, &x->err, s, x->what->stderr_fd, sink_stderr);
		x->err_open = true;
	}
}

static void fill(struct pollset *ps, void *arg)
{
	struct exec *x = arg;

	pump_fill(&x->in, ps);
	pump_fill(&x->out, ps);
	pump_fill(&x->err, ps);
	x->signals_index = pollset_add(ps, x->signals, POLLIN);
}

static bool ends_programs(int sig)
{
	return sig == SIGINT || sig == SIGTERM || sig == SIGHUP || sig == SIGQUIT;
}

static void take_signal(struct exec *x)
{
	struct signalfd_siginfo si;

	while (read(x->signals, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		int sig = (int)si.ssi_signo;

		if (sig == SIGWINCH) {
			send_winsize(x);
			continue;
		}
		if (x->what->end_on_signal && ends_programs(sig)) {
			interrupt_note(sig);
			x->failed = err_set(x->e, EINTR, "interrupted");
			return;
		}
		if ((sig == SIGINT || sig == SIGTERM) && ++x->interrupts >= 3) {
			x->failed = err_set(x->e, EINTR, "interrupted");
			return;
		}
		send_number(x, MSG_SIGNAL, F_SIGNAL, (uint64_t)sig);
	}
}

static void finish(struct exec *x, const struct proto_msg *m)
{
	int status = (int)proto_get_number(m, F_STATUS, 0);

	x->exited = true;
	x->exit->oom = proto_get_number(m, F_OOM, 0) != 0;
	if (WIFSIGNALED(status)) {
		x->exit->signal = WTERMSIG(status);
		x->exit->status = 128 + x->exit->signal;
	} else {
		x->exit->status = WEXITSTATUS(status);
	}
	if (x->exit->timed_out)
		x->exit->status = 124;
	/* nobody is left to read it */
	pump_close(&x->in);
	x->in_open = true;
}

static void refuse(struct exec *x, const struct proto_msg *m)
{
	x->exited = true;
	x->exit->status = (int)proto_get_number(m, F_STATUS, 126);
	x->exit->reason = proto_get_string(m, F_TEXT);
	pump_close(&x->in);
	x->in_open = x->out_open = x->err_open = true;
}

static void take_messages(struct exec *x)
{
	struct proto_msg m = PROTO_MSG_INIT;

	while (!x->failed && control_next(&x->cage->control, &m) > 0) {
		bool ours = proto_get_number(&m, F_EXEC, 0) == x->id;

		if (m.type == MSG_WARNING) {
			cleanup_free char *text = proto_get_string(&m, F_TEXT);

			progress_warn(x->cage->progress, "%s", text ? text : "?");
		} else if (ours && m.type == MSG_STARTED) {
			x->started = true;
		} else if (ours && m.type == MSG_REFUSED) {
			refuse(x, &m);
		} else if (ours && m.type == MSG_EXITED) {
			finish(x, &m);
		}
	}
	proto_release(&m);
}

static void dispatch(const struct pollset *ps, void *arg)
{
	struct exec *x = arg;

	pump_dispatch(&x->in, ps);
	pump_dispatch(&x->out, ps);
	pump_dispatch(&x->err, ps);
	if (pollset_revents(ps, x->signals_index))
		take_signal(x);
	claim(x);
	take_messages(x);
}

static int catch_signals(sigset_t *old)
{
	static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH };
	struct sigaction now;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(caught); i++)
		/* an inherited "ignore" stays one */
		if (sigaction(caught[i], NULL, &now) == 0 &&
		    (now.sa_handler != SIG_IGN || caught[i] == SIGWINCH))
			sigaddset(&set, caught[i]);
	sigprocmask(SIG_BLOCK, &set, old);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static bool complete(const struct exec *x)
{
	return x->exited && x->out_open && x->err_open && pump_done(&x->out) && pump_done(&x->err);
}

static int run(struct exec *x)
{
	static const int signals[] = { SIGTERM, SIGKILL };
	struct turn t = { fill, dispatch, x, INT64_MAX };
	size_t warnings = 0;
	int64_t limit = x->what->timeout ? clock_ms() + (int64_t)x->what->timeout : INT64_MAX;
	int ret;

	while (!complete(x)) {
		t.deadline_ms = x->kill_ms ? x->kill_ms : limit;
		ret = cage_turn(x->cage, &t, x->e);
		if (x->failed)
			return x->failed;
		if (ret < 0)
			return ret;
		if (clock_ms() < t.deadline_ms)
			continue;
		if (x->exited) {
			/* the time limit while output lingers: enough */
			break;
		}
		x->exit->timed_out = true;
		if (warnings == ARRAY_SIZE(signals)) {
			/* a guest that has no time even for this: the cage ends without it */
			x->exit->status = 124;
			break;
		}
		send_number(x, MSG_SIGNAL, F_SIGNAL, (uint64_t)signals[warnings++]);
		x->kill_ms = clock_ms() + GRACE_MS;
	}
	return 0;
}

int cage_exec(struct cage *cage, const struct cage_exec *what, struct cage_exit *exit,
	      struct error *e)
{
	struct exec x = { .cage = cage, .what = what, .id = ++cage->last_exec, .in = PUMP_CLOSED,
			  .out = PUMP_CLOSED, .err = PUMP_CLOSED, .exit = exit, .e = e,
			  .in_open = what->stdin_fd < 0, .err_open = what->tty, .signals = -1 };
	struct terminal *terminal = NULL;
	sigset_t old;
	int ret;

	*exit = (struct cage_exit){ 0 };
	if (cage->pid == 0)
		return cage_explain(cage, e, "the cage is gone");
	x.signals = catch_signals(&old);
	ret = send_exec(&x);
	if (what->tty)
		terminal = terminal_raw(what->stdin_fd);
	if (ret == 0)
		ret = run(&x);
	terminal_restore(terminal);
	exit->output_error = x.out.error ? x.out.error : x.err.error;
	pump_close(&x.in);
	pump_close(&x.out);
	pump_close(&x.err);
	close_fd(&x.signals);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return ret;
}

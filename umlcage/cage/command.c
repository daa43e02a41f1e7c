// SPDX-License-Identifier: GPL-2.0-or-later
/* A command in a cage: its stdio, messages and time limit on the supervisor's side. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/cage/internal.h"

enum { GRACE_MS = 5000, STATUS_TIMEOUT = 124, ERRNO_MAX = 4095 };

static void send_number(struct cage_command *x, enum proto_type type, enum proto_field_id id,
			uint64_t value)
{
	struct proto_msg m = PROTO_MSG_INIT;

	proto_begin(&m, type);
	proto_number(&m, F_EXEC, x->id);
	proto_number(&m, id, value);
	(void)control_send(&x->cage->control, &m);
	proto_release(&m);
}

void cage_command_signal(struct cage_command *x, int sig)
{
	if (x->cage && !x->exited)
		send_number(x, MSG_SIGNAL, F_SIGNAL, (uint64_t)sig);
}

static bool add_size(const struct cage_command *x, struct proto_msg *m)
{
	unsigned int rows, cols;

	if (x->terminal < 0 || !terminal_size(x->terminal, &rows, &cols))
		return false;
	proto_number(m, F_ROWS, rows);
	proto_number(m, F_COLS, cols);
	return true;
}

void cage_command_resized(struct cage_command *x)
{
	struct proto_msg m = PROTO_MSG_INIT;

	proto_begin(&m, MSG_WINSIZE);
	proto_number(&m, F_EXEC, x->id);
	if (x->cage && !x->exited && add_size(x, &m))
		(void)control_send(&x->cage->control, &m);
	proto_release(&m);
}

void cage_command_hold(struct cage_command *x, bool hold)
{
	x->hold = hold;
	x->in.pump.held = hold;
}

/* ---- starting ---- */

static int send_exec(struct cage_command *x, const struct cage_exec *w, struct error *e)
{
	struct proto_msg m = PROTO_MSG_INIT;
	int ret;

	proto_begin(&m, MSG_EXEC);
	proto_number(&m, F_EXEC, x->id);
	if (w->console)
		proto_number(&m, F_CONSOLE, 1);
	for (char *const *arg = w->argv; arg && *arg; arg++)
		proto_string(&m, F_ARG, *arg);
	for (char *const *env = w->env; env && *env; env++)
		proto_string(&m, F_ENV, *env);
	if (x->cage->variable && w->env && !env_get(w->env, x->cage->variable))
		proto_string(&m, F_ENV, x->cage->variable);
	if (w->cwd)
		proto_string(&m, F_CWD, w->cwd);
	if (w->user)
		proto_string(&m, F_USER, w->user);
	proto_number(&m, F_STDIN, !x->in.open);
	proto_number(&m, F_TTY, w->tty);
	if (w->detached)
		proto_number(&m, F_DETACHED, 1);
	if (w->changes)
		proto_number(&m, F_CHANGES, 1);
	(void)add_size(x, &m);
	ret = control_send(&x->cage->control, &m);
	proto_release(&m);
	return ret < 0 ? err_set(e, -ret, "the command line and its environment are larger than "
				 "1 MiB") : 0;
}

static struct command_stream stream_for(int fd, bool writing)
{
	struct command_stream s = { .fd = -1, .pump = PUMP_CLOSED };
	int own = fd < 0 ? -1 : pump_own(fd, writing, &s.shared);

	s.fd = own < 0 ? -1 : own;
	return s;
}

static void close_stream(struct command_stream *s)
{
	close_fd(&s->fd);
	pump_close(&s->pump);
	s->open = true;
}

static void close_stdio(struct cage_command *x)
{
	close_stream(&x->in);
	close_stream(&x->out);
	close_stream(&x->err);
	close_fd(&x->terminal);
}

/*
 * Nothing to read is known from the start: a stream that ends from this side first costs
 * libslirp a descriptor for as long as TCP remembers it, 10 s.
 */
static bool is_null(int fd)
{
	struct stat st;

	return fd < 0 || (fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
			  st.st_rdev == makedev(1, 3));
}

int cage_command_start(struct cage_command **out, struct cage *cage, const struct cage_exec *what,
		       struct error *e)
{
	int stdin_fd = is_null(what->stdin_fd) ? -1 : what->stdin_fd;
	struct cage_command *x;
	int ret;

	if (cage->pid == 0)
		return cage_explain(cage, e, "the cage is gone");
	x = xcalloc(1, sizeof(*x));
	*x = (struct cage_command){
		.cage = cage, .id = ++cage->last_exec, .terminal = -1,
		.in = stream_for(stdin_fd, false),
		.out = stream_for(what->output ? -1 : what->stdout_fd, true),
		.err = stream_for(what->output ? -1 : what->stderr_fd, true),
		.call = { what->output, what->output_arg, what->ended, what->ended_arg, what->left },
		.deadline_ms = what->timeout ? clock_ms() + (int64_t)what->timeout : INT64_MAX,
	};
	if (what->tty && what->detach_keys)
		keys_set(&x->keys, what->detach_keys);
	x->detached = what->detached;
	x->console = what->console;
	x->in.open = stdin_fd < 0 && !x->detached;
	x->err.open = what->tty;
	if (what->tty && what->stdin_fd >= 0)
		x->terminal = fcntl(what->stdin_fd, F_DUPFD_CLOEXEC, 3);
	ret = send_exec(x, what, e);
	if (ret < 0) {
		close_stdio(x);
		free(x);
		return ret;
	}
	x->next = cage->commands;
	cage->commands = x;
	*out = x;
	return 0;
}

/* ---- its streams ---- */

static void sink_stdout(const char *data, size_t len, void *arg)
{
	struct cage_command *x = arg;

	if (x->call.output)
		x->call.output(1, data, len, x->call.output_arg);
}

static void sink_stderr(const char *data, size_t len, void *arg)
{
	struct cage_command *x = arg;

	if (x->call.output)
		x->call.output(2, data, len, x->call.output_arg);
}

/* Joins a stream that has arrived with where its bytes go. */
static void open_output(struct cage_command *x, struct command_stream *s, int from,
			void (*sink)(const char *, size_t, void *))
{
	if (s->fd < 0)
		pump_open_sink(&s->pump, from, sink, x);
	else
		pump_open_shared(&s->pump, from, steal_fd(&s->fd), false, s->shared);
	s->open = true;
}

static void open_input(struct command_stream *s, int to, bool hold)
{
	if (s->fd < 0) {
		close_fd(&to);
	} else {
		pump_open_shared(&s->pump, steal_fd(&s->fd), to, true, false);
		s->pump.job_control = isatty(s->pump.from);
		s->pump.held = hold;
	}
	s->open = true;
}

static void claim(struct cage_command *x)
{
	struct control *c = &x->cage->control;
	int s;

	if (!x->in.open && (s = control_claim(c, x->id, CHAN_STDIN)) >= 0) {
		if (x->detached)
			detach_open(x, &x->in, s);
		else
			open_input(&x->in, s, x->hold);
		detach_watch(x);
	}
	if (!x->out.open && (s = control_claim(c, x->id, CHAN_STDOUT)) >= 0) {
		if (x->detached)
			detach_open(x, &x->out, s);
		else
			open_output(x, &x->out, s, sink_stdout);
	}
	if (!x->err.open && (s = control_claim(c, x->id, CHAN_STDERR)) >= 0)
		open_output(x, &x->err, s, sink_stderr);
}

void command_fill(struct cage_command *x, struct pollset *ps)
{
	if (x->ended)
		return;
	pump_fill(&x->in.pump, ps);
	pump_fill(&x->out.pump, ps);
	pump_fill(&x->err.pump, ps);
	pollset_until(ps, x->deadline_ms);
}

void command_dispatch(struct cage_command *x, const struct pollset *ps)
{
	if (x->ended)
		return;
	pump_dispatch(&x->in.pump, ps);
	pump_dispatch(&x->out.pump, ps);
	pump_dispatch(&x->err.pump, ps);
	detach_lost(x);
	claim(x);
}

/* ---- its end ---- */

/* What never came will not come. */
static void expect_only(struct cage_command *x, uint64_t streams)
{
	if (!x->out.open && !(streams & 1 << CHAN_STDOUT))
		close_stream(&x->out);
	if (!x->err.open && !(streams & 1 << CHAN_STDERR))
		close_stream(&x->err);
}

/* The guest says it: it may say anything. */
static int lost_output(const struct proto_msg *m)
{
	uint64_t errnum = proto_get_number(m, F_ERRNO, 0);

	return errnum <= ERRNO_MAX ? (int)errnum : EIO;
}

static void finish(struct cage_command *x, const struct proto_msg *m)
{
	int status = (int)proto_get_number(m, F_STATUS, 0);

	x->exited = true;
	expect_only(x, proto_get_number(m, F_STREAMS, UINT64_MAX));
	x->exit.output_error = lost_output(m);
	x->exit.oom = proto_get_number(m, F_OOM, 0) != 0;
	x->exit.full = proto_get_number(m, F_FULL, 0) != 0;
	if (WIFSIGNALED(status)) {
		x->exit.signal = WTERMSIG(status);
		x->exit.status = 128 + x->exit.signal;
	} else {
		x->exit.status = WEXITSTATUS(status);
	}
	if (x->exit.timed_out)
		x->exit.status = STATUS_TIMEOUT;
	else if (x->exit.status)
		x->exit.reason = cgroup_met(&x->cage->groups, "");
	/* nobody is left to read it */
	close_stream(&x->in);
}

static void refuse(struct cage_command *x, const struct proto_msg *m)
{
	x->exited = true;
	x->exit.status = proto_get_number(m, F_STATUS, 0) == 127 ? 127 : 126;
	x->exit.reason = proto_get_string(m, F_TEXT);
	/* there is nothing to come back to */
	x->detached = false;
	close_stdio(x);
}

void command_message(struct cage_command *x, const struct proto_msg *m)
{
	if (x->exited)
		return;
	if (m->type == MSG_REFUSED)
		refuse(x, m);
	else if (m->type == MSG_EXITED)
		finish(x, m);
	else if (m->type == MSG_STARTED && x->detached)
		x->leave = true;
}

static void overdue(struct cage_command *x)
{
	static const int signals[] = { SIGTERM, SIGKILL };

	if (x->exited) {
		/* the time limit while output lingers: enough */
		close_stdio(x);
		return;
	}
	x->exit.timed_out = true;
	if (x->warnings == ARRAY_SIZE(signals)) {
		/* a guest that has no time even for this */
		x->exit.status = STATUS_TIMEOUT;
		x->exited = true;
		close_stdio(x);
		return;
	}
	cage_command_signal(x, signals[x->warnings++]);
	x->deadline_ms = clock_ms() + GRACE_MS;
}

void command_check(struct cage_command *x)
{
	if (x->ended)
		return;
	if (clock_ms() >= x->deadline_ms)
		overdue(x);
	if (x->detached || !x->exited || !x->out.open || !x->err.open || !pump_done(&x->out.pump) ||
	    !pump_done(&x->err.pump))
		return;
	if (x->out.pump.error || x->err.pump.error)
		x->exit.output_error = x->out.pump.error ? x->out.pump.error : x->err.pump.error;
	close_stdio(x);
	x->ended = true;
}

bool command_tell(struct cage_command *x)
{
	if (x->leave && x->call.left)
		x->call.left(x, x->call.ended_arg);
	if (!x->ended || x->told)
		return false;
	x->told = true;
	if (x->call.ended)
		x->call.ended(x, x->call.ended_arg);
	return true;
}

const struct cage_exit *cage_command_exit(const struct cage_command *x)
{
	return x->ended ? &x->exit : NULL;
}

void cage_command_free(struct cage_command *x)
{
	if (!x)
		return;
	if (x->cage)
		for (struct cage_command **at = &x->cage->commands; *at; at = &(*at)->next)
			if (*at == x) {
				*at = x->next;
				break;
			}
	close_stdio(x);
	sb_release(&x->kept);
	cage_exit_release(&x->exit);
	free(x);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands in a session, each one's of a connection, and attached to another later: see serve.h. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "umlcage/base/fd.h"
#include "umlcage/session/serve.h"

enum {
	HANGUP_MS = 5000,	/* from the hangup to the kill of a command nobody waits for */
	ENDED_MAX = 64,		/* commands that were detached and have ended, until somebody asks */
	CONSOLE_NUMBER = 1 << 20,	/* of what is no command */
};

/* ---- its end ---- */

static void reply_exit(struct client *c, const struct cage_exit *x)
{
	cleanup_strv struct strv words = STRV_INIT;

	strv_add(&words, "exited");
	strv_addf(&words, "status=%d", x->status);
	strv_addf(&words, "signal=%d", x->signal);
	strv_addf(&words, "output=%d", x->output_error);
	if (x->timed_out)
		strv_add(&words, "timeout=1");
	if (x->oom)
		strv_add(&words, "oom=1");
	if (x->full)
		strv_add(&words, "full=1");
	if (x->reason)
		strv_addf(&words, "reason=%s", x->reason);
	client_reply(c, &words);
}

static void command_ended(struct cage_command *command, void *arg)
{
	struct client *c = arg;

	reply_exit(c, cage_command_exit(command));
	cage_command_free(command);
	c->command = NULL;
	c->finished = c->fd < 0;
}

/* The keys that leave it were typed: its terminal is the guest's, so it can go on without. */
static void command_left(struct cage_command *command, void *arg)
{
	cleanup_strv struct strv words = STRV_INIT;
	struct client *c = arg;

	if (!cage_command_detach(command))
		return;
	c->detached = true;
	strv_add(&words, "detached");
	strv_addf(&words, "number=%u", c->number);
	client_reply(c, &words);
	client_drop(c);
}

void client_hang_up(struct client *c)
{
	if (c->console) {
		c->detached = cage_command_detach(c->command);
	} else if (!c->kill_ms) {
		cage_command_signal(c->command, SIGHUP);
		cage_command_signal(c->command, SIGCONT);
		c->kill_ms = clock_ms() + HANGUP_MS;
	} else if (clock_ms() >= c->kill_ms) {
		cage_command_signal(c->command, SIGKILL);
		c->kill_ms = INT64_MAX;
	}
}

/* ---- its start ---- */

/* What a client does not say otherwise about the environment is the session's. */
static void add_environment(const struct strv *session, struct strv *env)
{
	for (size_t i = 0; i < session->n; i++)
		if (!env_get(strv_argv(env), session->v[i]))
			strv_add(env, session->v[i]);
}

/* "stdio=101": which of the three came, in order. */
static void take_stdio(struct client *c, const char *mask, struct cage_exec *what)
{
	int *const to[] = { &what->stdin_fd, &what->stdout_fd, &what->stderr_fd };
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(to); i++)
		*to[i] = mask && strlen(mask) == ARRAY_SIZE(to) && mask[i] == '1' && n < c->wire.nfds ?
			 c->wire.fds[n++] : -1;
}

/* Those that nobody has come back to are not kept for ever: the oldest ones make room. */
static void forget_ended(struct server *v)
{
	struct client *oldest = NULL;
	unsigned int n = 0;

	for (struct client *c = v->clients; c; c = c->next)
		if (c->detached && c->command && !c->console && cage_command_exited(c->command)) {
			if (!oldest || c->number < oldest->number)
				oldest = c;
			n++;
		}
	if (n > ENDED_MAX)
		oldest->finished = true;
}

static int do_exec(struct client *c, const struct strv *words, struct error *e)
{
	struct server *v = c->server;
	cleanup_strv struct strv argv = STRV_INIT, env = STRV_INIT;
	const char *tty = session_get(words, "tty"), *timeout = session_get(words, "timeout");
	struct cage_exec what = { .cwd = session_get(words, "cwd"), .user = session_get(words, "user"),
				  .tty = str_eq(tty, "1"),
				  .changes = str_eq(session_get(words, "changes"), "1"),
				  .detached = str_eq(session_get(words, "detached"), "1"),
				  .ended = command_ended, .ended_arg = c,
				  .detach_keys = session_get(words, "keys"), .left = command_left };
	int ret;

	if (c->command)
		return err_set(e, EBUSY, "this connection has a command already");
	if (v->paused)
		return err_set(e, EAGAIN, "the session '%s' is paused; let it go on with 'umlcage session "
			       "resume %s'", v->s->name, v->s->name);
	session_get_all(words, "arg", &argv);
	session_get_all(words, "env", &env);
	if (!argv.n)
		return err_usage(e, "there is no command to run");
	if (timeout && parse_u64(timeout, 10, INT64_MAX / 2, &what.timeout) < 0)
		return err_usage(e, "the time limit '%s' is not a number", timeout);
	if (v->cfg->env)
		add_environment(v->cfg->env, &env);
	what.argv = strv_argv(&argv);
	what.env = strv_argv(&env);
	take_stdio(c, session_get(words, "stdio"), &what);
	ret = cage_command_start(&c->command, v->cage, &what, e);
	for (size_t i = 0; i < c->wire.nfds; i++)
		close_fd(&c->wire.fds[i]);
	c->wire.nfds = 0;
	if (ret < 0)
		return ret;
	c->number = ++v->started;
	c->what = strv_join(&argv, " ");
	/* whether the client waits for the answer or not */
	c->detached = what.detached;
	forget_ended(v);
	return 0;
}

/* ---- coming back to it ---- */

int console_begin(struct server *v, struct error *e)
{
	struct client *c = xcalloc(1, sizeof(*c));
	struct cage_exec what = { .tty = true, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1,
				  .detached = true, .console = true, .left = command_left,
				  .ended = command_ended, .ended_arg = c };
	int ret;

	*c = (struct client){ .next = v->clients, .server = v, .fd = -1, .index = -1, .wire = WIRE_INIT,
			      .asked = true, .detached = true, .console = true, .number = CONSOLE_NUMBER };
	ret = cage_command_start(&c->command, v->cage, &what, e);
	if (ret < 0) {
		client_free(c);
		return ret;
	}
	v->clients = c;
	v->nclients++;
	return 0;
}

static int find_console(const struct server *v, struct client **found, struct error *e)
{
	struct client *c = v->clients;

	while (c && !(c->console && c->command))
		c = c->next;
	if (!c)
		return err_set(e, ENOENT, "the session '%s' has no init that would use a console (it was "
			       "not started with --init); 'umlcage session shell %s' opens a shell",
			       v->s->name, v->s->name);
	if (!c->detached)
		return err_set(e, EBUSY, "somebody has the console of '%s'; it is to be left there first",
			       v->s->name);
	*found = c;
	return 0;
}

/* The detached command that is meant; without a number the only one. */
static int find_detached(const struct server *v, const char *number, struct client **found,
			 struct error *e)
{
	cleanup_strbuf struct strbuf all = STRBUF_INIT;
	size_t n = 0;

	for (struct client *c = v->clients; c; c = c->next) {
		cleanup_free char *own = xasprintf("%u", c->number);

		if (!c->command || c->console || (number && !str_eq(own, number)))
			continue;
		if (number && !c->detached)
			return err_set(e, EBUSY, "the command %s of '%s' has a terminal; detach it there "
				       "first", number, v->s->name);
		if (!c->detached)
			continue;
		*found = c;
		n++;
		sb_addf(&all, "%s%s", n > 1 ? ", " : "", own);
	}
	if (n == 1)
		return 0;
	if (n > 1)
		return err_usage(e, "several commands of '%s' are detached: %s; say which one", v->s->name,
				 sb_str(&all));
	if (number)
		return err_set(e, ENOENT, "the session '%s' has no command %s; see 'umlcage session ps %s'",
			       v->s->name, number, v->s->name);
	return err_set(e, ENOENT, "no command of '%s' is detached", v->s->name);
}

/* Whoever asks takes the place of the client that has left. */
static int do_attach(struct client *c, const struct strv *words, struct error *e)
{
	struct server *v = c->server;
	struct cage_exec what = { .tty = true };
	struct client *old = NULL;
	int ret;

	if (c->command)
		return err_set(e, EBUSY, "this connection has a command already");
	ret = str_eq(session_get(words, "number"), SESSION_CONSOLE) ? find_console(v, &old, e) :
	      find_detached(v, session_get(words, "number"), &old, e);
	if (ret < 0)
		return ret;
	take_stdio(c, session_get(words, "stdio"), &what);
	ret = cage_command_attach(old->command, what.stdin_fd, what.stdout_fd, session_get(words, "keys"), e);
	if (ret < 0)
		return ret;
	old->fd = c->fd;
	old->index = -1;
	old->wire = c->wire;
	old->detached = false;
	for (size_t i = 0; i < old->wire.nfds; i++)
		close_fd(&old->wire.fds[i]);
	old->wire.nfds = 0;
	c->fd = -1;
	c->wire = (struct wire)WIRE_INIT;
	return 0;
}

/* ---- while it runs ---- */

static int do_signal(struct client *c, const struct strv *words, struct error *e)
{
	const char *text = session_get(words, "number");
	uint64_t sig;

	if (!text || parse_u64(text, 10, NSIG, &sig) < 0)
		return err_usage(e, "that is not a signal");
	/* what is typed there comes as it is; the rest means the client, which leaves */
	if (c->console && (sig == SIGTERM || sig == SIGHUP || sig == SIGINT || sig == SIGQUIT))
		command_left(c->command, c);
	else if (c->command && !c->console)
		cage_command_signal(c->command, (int)sig);
	return 0;
}

static int do_resize(struct client *c, const struct strv *words, struct error *e)
{
	(void)words;
	(void)e;
	if (c->command)
		cage_command_resized(c->command);
	return 0;
}

static int do_hold(struct client *c, const struct strv *words, struct error *e)
{
	(void)e;
	if (c->command)
		cage_command_hold(c->command, str_eq(words->v[0], "hold"));
	return 0;
}

const struct request command_requests[] = {
	{ "exec", do_exec, true }, { "attach", do_attach, true }, { "signal", do_signal, true },
	{ "resize", do_resize, true }, { "hold", do_hold, true }, { "release", do_hold, true },
	{ NULL, NULL, false },
};

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A session's side of its socket: serves clients from the cage's event loop until it is to end.
 * See session.h; requests[] has what they may want.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/signals.h"
#include "umlcage/cage/forward.h"
#include "umlcage/session/private.h"

enum {
	CLIENTS_MAX = 1024,
	HANGUP_MS = 5000,		/* from the hangup to the kill of a command nobody waits for */
	LOG_MAX = 8 << 20,		/* bytes; then the log begins anew */
	LOG_LOOK_MS = 1000,
};

struct server {
	struct session *s;
	struct cage *cage;
	const struct session_config *cfg;
	struct client *clients;
	struct signals signals;
	int listener_index;
	unsigned int nclients, started;
	bool stopping, paused;
	struct client *freezer;		/* who copies the disk; NULL */
	bool frozen;			/* ... and may do so now */
	int64_t idle_ms;		/* since when nobody has wanted anything */
	int64_t log_ms;			/* when the log's size was last looked at */
};

struct client {
	struct client *next;
	struct server *server;
	int fd, index;			/* -1: gone */
	struct wire wire;
	bool asked, waits;		/* for anything; for the session's end */
	struct cage_command *command;
	unsigned int number;		/* of the command */
	char *what;			/* the command, for people */
	bool detached;			/* the command waits for another client */
	int64_t kill_ms;		/* when a command without a client is killed; 0: not */
	bool finished;			/* nothing more is to be done for it */
};

/* ---- clients ---- */

static void drop(struct client *c)
{
	close_fd(&c->fd);
	wire_release(&c->wire);
}

static void reply(struct client *c, const struct strv *words)
{
	/* who does not take an answer of a few words does not want it */
	if (c->fd >= 0 && wire_send(c->fd, words, NULL, 0) < 0)
		drop(c);
}

static void reply_ok(struct client *c)
{
	cleanup_strv struct strv words = STRV_INIT;

	strv_add(&words, "ok");
	reply(c, &words);
}

static void reply_error(struct client *c, struct error *e)
{
	cleanup_strv struct strv words = STRV_INIT;

	strv_add(&words, "error");
	strv_addf(&words, "errno=%d", e->errnum);
	strv_addf(&words, "text=%s", err_text(e));
	reply(c, &words);
	err_release(e);
}

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
	reply(c, &words);
}

static void accept_all(struct server *v)
{
	int fd;

	while ((fd = accept4(v->s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		struct ucred cred;
		socklen_t len = sizeof(cred);
		struct client *c;

		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 || cred.uid != geteuid() ||
		    v->nclients >= CLIENTS_MAX) {
			close(fd);
			continue;
		}
		c = xcalloc(1, sizeof(*c));
		*c = (struct client){ .next = v->clients, .server = v, .fd = fd, .index = -1,
				      .wire = WIRE_INIT };
		v->clients = c;
		v->nclients++;
	}
}

/* ---- requests ---- */

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
	reply(c, &words);
	drop(c);
}

/* What a client does not say otherwise about the environment is the session's. */
static void add_environment(const struct strv *session, struct strv *env)
{
	size_t given = env->n;

	for (size_t i = 0; i < session->n; i++) {
		size_t len = strcspn(session->v[i], "=") + 1;
		bool has = false;

		for (size_t j = 0; j < given && !has; j++)
			has = strncmp(env->v[j], session->v[i], len) == 0;
		if (!has)
			strv_add(env, session->v[i]);
	}
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

static int do_exec(struct client *c, const struct strv *words, struct error *e)
{
	struct server *v = c->server;
	cleanup_strv struct strv argv = STRV_INIT, env = STRV_INIT;
	const char *tty = session_get(words, "tty"), *timeout = session_get(words, "timeout");
	struct cage_exec what = { .cwd = session_get(words, "cwd"), .user = session_get(words, "user"),
				  .tty = str_eq(tty, "1"),
				  .changes = str_eq(session_get(words, "changes"), "1"),
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

		if (!c->command || (number && !str_eq(own, number)))
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
	ret = find_detached(v, session_get(words, "number"), &old, e);
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

static int do_signal(struct client *c, const struct strv *words, struct error *e)
{
	const char *text = session_get(words, "number");
	uint64_t sig;

	if (!text || parse_u64(text, 10, NSIG, &sig) < 0)
		return err_usage(e, "that is not a signal");
	if (c->command)
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

static unsigned int running(const struct server *v)
{
	unsigned int n = 0;

	for (const struct client *c = v->clients; c; c = c->next)
		n += c->command != NULL;
	return n;
}

static int do_info(struct client *c, const struct strv *words, struct error *e)
{
	const struct server *v = c->server;
	cleanup_strv struct strv answer = STRV_INIT;

	(void)words;
	(void)e;
	strv_add(&answer, "ok");
	strv_addf(&answer, "state=%s", v->stopping ? "stopping" : v->paused ? "paused" : "running");
	strv_addf(&answer, "pid=%d", (int)getpid());
	strv_addf(&answer, "commands=%u", running(v));
	strv_addf(&answer, "started=%u", v->started);
	for (const struct client *o = v->clients; o; o = o->next)
		if (o->command)
			strv_addf(&answer, "command=%u %s %s", o->number, !o->detached ? "attached" :
				  cage_command_exited(o->command) ? "ended" : "detached", o->what);
	reply(c, &answer);
	return 1;
}

static int do_stop(struct client *c, const struct strv *words, struct error *e)
{
	(void)words;
	(void)e;
	c->server->stopping = true;
	c->waits = true;
	return 1;
}

static int do_wait(struct client *c, const struct strv *words, struct error *e)
{
	(void)words;
	(void)e;
	c->waits = true;
	return 1;
}

static int do_pause(struct client *c, const struct strv *words, struct error *e)
{
	struct server *v = c->server;
	bool pause = str_eq(words->v[0], "pause");
	int ret;

	if (v->freezer)
		return err_set(e, EBUSY, "a snapshot of the session '%s' is being taken; try again",
			       v->s->name);
	ret = cage_pause(v->cage, pause, e);
	if (ret == 0)
		v->paused = pause;
	return ret;
}

/*
 * Whoever copies the disk has it as it is for as long as the connection lasts: everything is
 * written back, then the machine stands still.
 */
static int do_freeze(struct client *c, const struct strv *words, struct error *e)
{
	struct server *v = c->server;

	(void)words;
	if (v->paused)
		return err_set(e, EAGAIN, "the session '%s' is paused; let it go on with 'umlcage session "
			       "resume %s'", v->s->name, v->s->name);
	if (v->freezer)
		return err_set(e, EBUSY, "a snapshot of the session '%s' is being taken already", v->s->name);
	v->freezer = c;
	cage_sync(v->cage);
	return 1;
}

static void freeze(struct server *v)
{
	struct error e = ERROR_INIT;

	v->frozen = true;
	if (cage_pause(v->cage, true, &e) == 0)
		reply_ok(v->freezer);
	else
		reply_error(v->freezer, &e);
}

static void thaw(struct server *v)
{
	if (v->frozen)
		(void)cage_pause(v->cage, false, NULL);
	v->frozen = false;
	v->freezer = NULL;
}

/* Says by its answer that it has stood still all the time. */
static int do_thaw(struct client *c, const struct strv *words, struct error *e)
{
	struct server *v = c->server;

	(void)words;
	if (v->freezer != c || !v->frozen)
		return err_set(e, EPROTO, "the session '%s' does not stand still", v->s->name);
	thaw(v);
	return 0;
}

static int do_publish(struct client *c, const struct strv *words, struct error *e)
{
	const char *text = session_get(words, "port");
	struct cage_forward f;
	int ret;

	if (!text)
		return err_usage(e, "there is no port to publish");
	ret = forward_parse(text, &f, e);
	if (ret == 0)
		ret = str_eq(words->v[0], "publish") ? cage_publish(c->server->cage, &f, e) :
						       cage_unpublish(c->server->cage, &f, e);
	return ret;
}

/* Those that answer by themselves return 1, those that need no answer have .silent. */
static const struct request {
	const char *verb;
	int (*serve)(struct client *c, const struct strv *words, struct error *e);
	bool silent;
} requests[] = {
	{ "exec", do_exec, true }, { "attach", do_attach, true }, { "signal", do_signal, true },
	{ "resize", do_resize, true },
	{ "hold", do_hold, true }, { "release", do_hold, true }, { "info", do_info, false },
	{ "stop", do_stop, false }, { "wait", do_wait, false }, { "pause", do_pause, false },
	{ "resume", do_pause, false }, { "publish", do_publish, false },
	{ "unpublish", do_publish, false }, { "freeze", do_freeze, false }, { "thaw", do_thaw, false },
};

static void serve_request(struct client *c, const struct strv *words)
{
	struct error e = ERROR_INIT;

	c->asked = true;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		const struct request *r = &requests[i];
		int ret;

		if (!words->n || strcmp(words->v[0], r->verb) != 0)
			continue;
		ret = r->serve(c, words, &e);
		if (ret < 0)
			reply_error(c, &e);
		else if (ret == 0 && !r->silent)
			reply_ok(c);
		return;
	}
	err_usage(&e, "the session knows no request '%s'; was it started by another version?",
		  words->n ? words->v[0] : "");
	reply_error(c, &e);
}

static void serve_client(struct client *c)
{
	cleanup_strv struct strv words = STRV_INIT;
	int ret;

	while ((ret = wire_receive(c->fd, &c->wire)) > 0) {
		int next;

		while (c->fd >= 0 && (next = wire_next(&c->wire, &words)) > 0)
			serve_request(c, &words);
		if (c->fd < 0)
			return;
		if (next < 0) {
			ret = next;
			break;
		}
	}
	if (ret != -EAGAIN)
		drop(c);
}

/* A command whose client is gone: nobody will ever know what it says. */
static void hang_up(struct client *c)
{
	if (!c->kill_ms) {
		cage_command_signal(c->command, SIGHUP);
		cage_command_signal(c->command, SIGCONT);
		c->kill_ms = clock_ms() + HANGUP_MS;
	} else if (clock_ms() >= c->kill_ms) {
		cage_command_signal(c->command, SIGKILL);
		c->kill_ms = INT64_MAX;
	}
}

static void free_client(struct client *c)
{
	drop(c);
	cage_command_free(c->command);
	free(c->what);
	free(c);
}

static void sweep(struct server *v)
{
	for (struct client **at = &v->clients; *at;) {
		struct client *c = *at;

		if (c->fd < 0 && c == v->freezer)
			thaw(v);
		if (c->fd < 0 && c->command && !c->detached)
			hang_up(c);
		if (c->finished || (c->fd < 0 && !c->command)) {
			*at = c->next;
			free_client(c);
			v->nclients--;
		} else {
			at = &c->next;
		}
	}
}

/* ---- the loop ---- */

/* The guest decides how much is said on its console. */
static void look_at_log(struct server *v)
{
	struct stat st;

	if (clock_ms() < v->log_ms + LOG_LOOK_MS)
		return;
	v->log_ms = clock_ms();
	if (fstat(v->s->log, &st) == 0 && st.st_size > LOG_MAX)
		(void)ftruncate(v->s->log, 0);
}

enum demand { UNWANTED, ASKING, WANTED };

/* A command is what it is wanted for; a client that has not said anything yet may bring one. */
static enum demand demand(const struct server *v)
{
	enum demand d = UNWANTED;

	for (const struct client *c = v->clients; c && d != WANTED; c = c->next) {
		if (c == v->freezer || (c->command && !(c->detached && cage_command_exited(c->command))))
			d = WANTED;
		else if (!c->asked)
			d = ASKING;
	}
	return d;
}

static void fill(struct pollset *ps, void *arg)
{
	struct server *v = arg;

	sweep(v);
	look_at_log(v);
	signals_fill(&v->signals, ps);
	v->listener_index = pollset_add(ps, v->s->listener, POLLIN);
	for (struct client *c = v->clients; c; c = c->next) {
		c->index = pollset_add(ps, c->fd, POLLIN);
		if (c->fd < 0 && c->kill_ms && c->kill_ms != INT64_MAX)
			pollset_until(ps, c->kill_ms);
	}
	if (demand(v) == WANTED)
		v->idle_ms = clock_ms();
	else if (v->cfg->idle_timeout && demand(v) == UNWANTED)
		pollset_until(ps, v->idle_ms + (int64_t)v->cfg->idle_timeout);
}

static int dispatch(const struct pollset *ps, void *arg, struct error *e)
{
	struct server *v = arg;

	(void)e;
	if (pollset_revents(ps, v->signals.index))
		while (signals_next(&v->signals) > 0)
			v->stopping = true;
	for (struct client *c = v->clients; c; c = c->next)
		if (c->fd >= 0 && pollset_revents(ps, c->index))
			serve_client(c);
	if (pollset_revents(ps, v->listener_index))
		accept_all(v);
	if (v->freezer && !v->frozen && cage_synced(v->cage))
		freeze(v);
	if (demand(v) == UNWANTED && v->cfg->idle_timeout &&
	    clock_ms() >= v->idle_ms + (int64_t)v->cfg->idle_timeout) {
		progress_note(v->cfg->progress, "nobody has wanted anything for %llu s: the session ends",
			      (unsigned long long)v->cfg->idle_timeout / 1000);
		v->stopping = true;
	}
	return 0;
}

/*
 * Clients that wait for the end keep their connection until it has come: they see it closed when
 * this process has nothing left to do, by session_end() or by dying.
 */
static void release_clients(struct server *v)
{
	for (struct client *c; (c = v->clients) != NULL;) {
		v->clients = c->next;
		if (c->waits)
			c->fd = -1;
		free_client(c);
	}
}

int session_serve(struct session *s, struct cage *cage, const struct session_config *cfg,
		  struct error *e)
{
	static const int ending[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };
	struct server v = { .s = s, .cage = cage, .cfg = cfg, .idle_ms = clock_ms() };
	struct cage_member *member;
	int ret = signals_open(&v.signals, ending, ARRAY_SIZE(ending));

	if (ret < 0)
		return err_sys(e, -ret, "cannot watch for signals");
	member = cage_member_add(cage, fill, dispatch, &v);
	while (ret == 0 && !v.stopping)
		ret = cage_turn(cage, INT64_MAX, e);
	/* by its own init: an end like any other */
	if (ret == -ESHUTDOWN) {
		err_release(e);
		ret = 0;
	}
	cage_member_remove(member);
	thaw(&v);
	if (v.paused)
		(void)cage_pause(cage, false, NULL);
	release_clients(&v);
	signals_close(&v.signals);
	return ret;
}

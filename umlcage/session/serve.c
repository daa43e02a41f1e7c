// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A session's side of its socket: serves clients from the cage's event loop until it is to end.
 * See session.h, and serve.h for the other parts.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "umlcage/session/serve.h"

enum {
	LOG_MAX = 8 << 20,		/* bytes; then the log begins anew */
	LOG_LOOK_MS = 1000,
};

/* ---- requests ---- */

static const struct request *find_request(const char *verb)
{
	static const struct request *const tables[] = { command_requests, session_requests };

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		for (const struct request *r = tables[i]; r->verb; r++)
			if (strcmp(r->verb, verb) == 0)
				return r;
	return NULL;
}

static void serve_request(struct client *c, const struct strv *words)
{
	const struct request *r = words->n ? find_request(words->v[0]) : NULL;
	struct error e = ERROR_INIT;
	int ret;

	c->asked = true;
	ret = r ? r->serve(c, words, &e) :
		  err_usage(&e, "the session knows no request '%s'; was it started by another version?",
			    words->n ? words->v[0] : "");
	if (ret < 0)
		client_reply_error(c, &e);
	else if (r && ret == 0 && !r->silent)
		client_reply_ok(c);
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
		client_drop(c);
}

static void sweep(struct server *v)
{
	for (struct client **at = &v->clients; *at;) {
		struct client *c = *at;

		if (c->fd < 0 && c == v->freezer)
			server_thaw(v);
		if (c->fd < 0 && c->command && !c->detached)
			client_hang_up(c);
		if (c->finished || (c->fd < 0 && !c->command)) {
			*at = c->next;
			client_free(c);
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
		bool runs = c->command &&
			    !(c->detached && (c->console || cage_command_exited(c->command)));

		if (c == v->freezer || runs)
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
		clients_accept(v);
	if (v->freezer && !v->frozen && cage_synced(v->cage))
		server_freeze(v);
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
		client_free(c);
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
	if (cfg->init)
		ret = console_begin(&v, e);
	while (ret == 0 && !v.stopping)
		ret = cage_turn(cage, INT64_MAX, e);
	/* by its own init: an end like any other */
	if (ret == -ESHUTDOWN) {
		err_release(e);
		ret = 0;
	}
	cage_member_remove(member);
	server_thaw(&v);
	if (v.paused)
		(void)cage_pause(cage, false, NULL);
	release_clients(&v);
	signals_close(&v.signals);
	return ret;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* What a session does as a whole when it is asked: see serve.h. */
#include <errno.h>
#include <unistd.h>

#include "umlcage/cage/forward.h"
#include "umlcage/session/serve.h"

static unsigned int running(const struct server *v)
{
	unsigned int n = 0;

	for (const struct client *c = v->clients; c; c = c->next)
		n += c->command && !(c->console && c->detached);
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
		if (o->command && !o->console)
			strv_addf(&answer, "command=%u %s %s", o->number, !o->detached ? "attached" :
				  cage_command_exited(o->command) ? "ended" : "detached", o->what);
	client_reply(c, &answer);
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

/* ---- copies of its disk ---- */

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

void server_freeze(struct server *v)
{
	struct error e = ERROR_INIT;

	v->frozen = true;
	if (cage_pause(v->cage, true, &e) == 0)
		client_reply_ok(v->freezer);
	else
		client_reply_error(v->freezer, &e);
}

void server_thaw(struct server *v)
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
	server_thaw(v);
	return 0;
}

/* ---- ports ---- */

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

const struct request session_requests[] = {
	{ "info", do_info, false }, { "stop", do_stop, false }, { "wait", do_wait, false },
	{ "pause", do_pause, false }, { "resume", do_pause, false }, { "freeze", do_freeze, false },
	{ "thaw", do_thaw, false }, { "publish", do_publish, false }, { "unpublish", do_publish, false },
	{ NULL, NULL, false },
};

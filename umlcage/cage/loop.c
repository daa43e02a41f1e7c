// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The event loop of a cage: its kernel, console and networks, its commands, and whoever
 * else has joined; each message of the agent goes to whom it is for.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "umlcage/cage/internal.h"

enum {
	LOST_MS = 1000,			/* how long a kernel on its way down may take to end */
	STREAMS_SPARE = 64,		/* beyond those of commands; a guest that opens more is hostile */
	STREAMS_OF_A_COMMAND = 3,
};

struct cage_member {
	struct cage_member *next;
	void (*fill)(struct pollset *ps, void *arg);
	int (*dispatch)(const struct pollset *ps, void *arg, struct error *e);
	void *arg;
	bool filled;		/* it took part in this turn from its beginning */
	bool left;
};

struct cage_member *cage_member_add(struct cage *c,
				    void (*fill)(struct pollset *ps, void *arg),
				    int (*dispatch)(const struct pollset *ps, void *arg,
						    struct error *e),
				    void *arg)
{
	struct cage_member *m = xcalloc(1, sizeof(*m));

	*m = (struct cage_member){ .next = c->members, .fill = fill, .dispatch = dispatch,
				   .arg = arg };
	c->members = m;
	return m;
}

void cage_member_remove(struct cage_member *m)
{
	if (m)
		m->left = true;
}

/* Lists are changed here alone, where nobody walks them. */
static void drop_members(struct cage *c, bool all)
{
	for (struct cage_member **at = &c->members; *at;) {
		struct cage_member *m = *at;

		if (m->left || all) {
			*at = m->next;
			free(m);
		} else {
			at = &m->next;
		}
	}
}

static void fill(struct cage *c, int64_t deadline_ms)
{
	struct pollset *ps = &c->ps;

	pollset_reset(ps);
	pollset_until(ps, deadline_ms);
	c->pidfd_index = pollset_add(ps, c->pidfd, POLLIN);
	c->console_index = pollset_add(ps, c->console.fd, POLLIN);
	c->control.streams_max = STREAMS_SPARE;
	for (struct cage_command *x = c->commands; x; x = x->next) {
		command_fill(x, ps);
		c->control.streams_max += STREAMS_OF_A_COMMAND;
	}
	relays_fill(&c->relays, ps);
	control_fill(&c->control, ps);
	net_fill(c->net, ps);
	drop_members(c, false);
	for (struct cage_member *m = c->members; m; m = m->next) {
		m->filled = true;
		m->fill(ps, m->arg);
	}
	if (c->control.lost && !c->stopping)
		pollset_until(ps, c->lost_ms);
	pollset_until(ps, place_check(&c->place, clock_ms()));
}

static void take_text(char **to, const struct proto_msg *m)
{
	free(*to);
	*to = proto_get_string(m, F_TEXT);
}

static void take_message(struct cage *c, const struct proto_msg *m)
{
	uint32_t id = (uint32_t)proto_get_number(m, F_EXEC, 0);

	switch ((enum proto_type)m->type) {
	case MSG_READY:
		c->up = true;
		break;
	case MSG_FAILED:
		c->failed = true;
		take_text(&c->failure, m);
		break;
	case MSG_SYNCED:
		c->synced = true;
		break;
	case MSG_STOPPED:
		c->stopped = true;
		take_text(&c->failure, m);
		break;
	case MSG_WARNING: {
		cleanup_free char *text = proto_get_string(m, F_TEXT);

		progress_warn(c->progress, "%s", text ? text : "?");
		break;
	}
	default:
		for (struct cage_command *x = c->commands; x; x = x->next)
			if (x->id == id)
				command_message(x, m);
	}
}

static void take_messages(struct cage *c)
{
	struct proto_msg m = PROTO_MSG_INIT;

	while (control_next(&c->control, &m) > 0)
		take_message(c, &m);
	proto_release(&m);
}

static int dispatch_members(struct cage *c, struct error *e)
{
	int ret = 0;

	for (struct cage_member *m = c->members; m && ret == 0; m = m->next)
		if (m->filled && !m->left)
			ret = m->dispatch(&c->ps, m->arg, e);
	return ret;
}

/* Calls back for each command that has ended since; that may start and free any. */
static void tell_ended(struct cage *c)
{
	for (struct cage_command *x = c->commands; x;)
		x = command_tell(x) ? c->commands : x->next;
}

static int check_kernel(struct cage *c, struct error *e)
{
	bool over = pollset_revents(&c->ps, c->pidfd_index) && cage_reap(c, false);

	if (over)
		return c->stopping ? -EPIPE : cage_explain(c, e, c->up ? "the cage died" : c->what);
	if (!c->control.lost || c->stopping)
		return 0;
	/* a kernel on its way down closes this first; let it say why */
	if (!c->lost_ms)
		c->lost_ms = clock_ms() + LOST_MS;
	if (clock_ms() < c->lost_ms)
		return 0;
	return cage_explain(c, e, c->up ? "the cage was lost" : c->what);
}

int cage_turn(struct cage *c, int64_t deadline_ms, struct error *e)
{
	int ret, waited;

	if (!c->pid)
		return cage_explain(c, e, "the cage is gone");
	if (clock_ms() >= c->ends_ms && !c->stopping) {
		err_set(e, ETIMEDOUT, "the cage was not done after %llu s, the time it had (--timeout)",
			(unsigned long long)c->lifetime / 1000);
		/* of no network */
		return e ? err_mark(e, ERR_OTHER) : -ETIMEDOUT;
	}
	fill(c, !c->stopping && c->ends_ms < deadline_ms ? c->ends_ms : deadline_ms);
	waited = pollset_wait(&c->ps);
	if (waited < 0 && waited != -EINTR)
		return err_sys(e, -waited, "cannot wait for the cage");
	if (pollset_revents(&c->ps, c->console_index))
		console_read(&c->console);
	ret = net_dispatch(c->net, &c->ps, e);
	if (ret < 0)
		return ret;
	for (int stream; (stream = net_next_stream(c->net)) >= 0;)
		control_add(&c->control, stream);
	control_dispatch(&c->control, &c->ps);
	for (struct cage_command *x = c->commands; x; x = x->next)
		command_dispatch(x, &c->ps);
	sockets_dispatch(c);
	take_messages(c);
	/* what is left belongs to commands that were refused or freed, or to nobody */
	control_drop_unclaimed(&c->control);
	for (struct cage_command *x = c->commands; x; x = x->next)
		command_check(x);
	ret = dispatch_members(c, e);
	tell_ended(c);
	/* its own init has ended; everything is written back */
	if (ret == 0 && c->stopped && !c->stopping)
		ret = err_set(e, ESHUTDOWN, "the machine was switched off from within");
	return ret < 0 ? ret : check_kernel(c, e);
}

static bool runs_any(const struct cage *c)
{
	const struct cage_command *x = c->commands;

	while (x && x->ended)
		x = x->next;
	return x != NULL;
}

int cage_wait(struct cage *c, const struct cage_command *command, struct error *e)
{
	int ret = 0;

	while (ret == 0 && (command ? !command->ended : runs_any(c)))
		ret = cage_turn(c, INT64_MAX, e);
	return ret;
}

void loop_release(struct cage *c)
{
	drop_members(c, true);
	for (struct cage_command *x = c->commands; x; x = x->next)
		x->cage = NULL;
	c->commands = NULL;
	pollset_release(&c->ps);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Output that has no stream yet.
 *
 * A stream costs the guest's kernel, the network's process and the supervisor several turns each,
 * to greet and to end, which is more than all else of a command that says nothing.  So one is
 * opened with the first byte; or a little later in any case, since by it a command learns that
 * nobody reads any more, and who reads that there will be nothing.  MSG_EXITED has which were opened.
 */
#include <poll.h>
#include <unistd.h>

#include "rootfs/agent/agent.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/progress.h"

enum { LAZY_MS = 100 };

void lazy_init(struct command *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(c->lazy); i++)
		c->lazy[i] = (struct lazy){ .fd = -1, .index = -1 };
}

void lazy_add(struct command *c, enum proto_channel chan, int fd)
{
	c->lazy[chan - CHAN_STDOUT].fd = fd;
	c->lazy_until = clock_ms() + LAZY_MS;
}

static void open_stream(struct command *c, size_t i)
{
	enum proto_channel chan = CHAN_STDOUT + i;
	int s = network_connect(chan, c->id, NULL);

	/* a broken pipe for who speaks on; and what is lost is told with the end */
	if (s < 0) {
		close_fd(&c->lazy[i].fd);
		c->lost = -s;
		return;
	}
	pump_open(i ? &c->err : &c->out, steal_fd(&c->lazy[i].fd), s, true);
	c->streams |= 1 << chan;
}

void lazy_fill(struct command *c, struct pollset *ps)
{
	for (size_t i = 0; i < ARRAY_SIZE(c->lazy); i++) {
		struct lazy *z = &c->lazy[i];

		z->index = pollset_add(ps, z->silent ? -1 : z->fd, POLLIN);
		if (z->fd >= 0)
			pollset_until(ps, c->lazy_until);
	}
}

void lazy_dispatch(struct command *c, const struct pollset *ps)
{
	for (size_t i = 0; i < ARRAY_SIZE(c->lazy); i++) {
		struct lazy *z = &c->lazy[i];
		short events = pollset_revents(ps, z->index);

		if (z->fd < 0)
			continue;
		/* its end most likely, which is about to be known */
		if (events & POLLHUP)
			z->silent = true;
		if ((events & POLLIN) || clock_ms() >= c->lazy_until)
			open_stream(c, i);
	}
}

void lazy_settle(struct command *c)
{
	struct pollfd p[ARRAY_SIZE(c->lazy)];

	for (size_t i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = (struct pollfd){ .fd = c->lazy[i].fd, .events = POLLIN };
	(void)poll(p, ARRAY_SIZE(p), 0);
	for (size_t i = 0; i < ARRAY_SIZE(p); i++) {
		if (p[i].revents & POLLIN)
			open_stream(c, i);
		else
			close_fd(&c->lazy[i].fd);
	}
}

bool lazy_done(const struct command *c)
{
	return c->lazy[0].fd < 0 && c->lazy[1].fd < 0;
}

void lazy_close(struct command *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(c->lazy); i++)
		close_fd(&c->lazy[i].fd);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sockets of the host in the guest: the agent listens there, and opens a stream for each
 * connection, which is joined here with one to the host's socket.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "umlcage/base/fd.h"
#include "umlcage/cage/internal.h"

void sockets_init(struct cage *c, const struct cage_config *cfg)
{
	for (size_t i = 0; i < cfg->nsockets; i++)
		strv_add(&c->sockets, cfg->sockets[i].host);
	c->unreachable = xcalloc(cfg->nsockets + 1, sizeof(*c->unreachable));
}

void sockets_announce(const struct cage_config *cfg, struct proto_msg *m)
{
	for (size_t i = 0; i < cfg->nsockets; i++) {
		const struct cage_socket *s = &cfg->sockets[i];
		cleanup_free char *spec = xasprintf("%s %s", s->runtime ? s->runtime : "-", s->guest);

		proto_string(m, F_SOCKET, spec);
	}
}

/* Without waiting: a server that does not accept is nothing to hold a cage up for. */
static int reach(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	cleanup_close int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (s < 0)
		return -errno;
	strncpy(sun.sun_path, path, sizeof(sun.sun_path) - 1);
	return connect(s, (const void *)&sun, sizeof(sun)) < 0 ? -errno : steal_fd(&s);
}

/* The guest sees an end of file where there is nobody. */
static void join(struct cage *c, size_t i, int stream)
{
	int host = reach(c->sockets.v[i]), ret = host;

	if (host >= 0)
		ret = relays_add(&c->relays, stream, host);
	else
		close_fd(&stream);
	if (ret >= 0 || c->unreachable[i])
		return;
	c->unreachable[i] = true;
	progress_warn(c->progress, "a connection of the cage does not get through to '%s': %s",
		      c->sockets.v[i], strerror(-ret));
}

void sockets_dispatch(struct cage *c)
{
	int stream;

	relays_dispatch(&c->relays, &c->ps);
	for (size_t i = 0; i < c->sockets.n; i++)
		while ((stream = control_claim(&c->control, (uint32_t)i, CHAN_SOCKET)) >= 0)
			join(c, i, stream);
}

void sockets_release(struct cage *c)
{
	relays_close(&c->relays);
	strv_release(&c->sockets);
	free_ptr(&c->unreachable);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* The connections to a session's socket, and answers to them: see serve.h. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/session/serve.h"

enum { CLIENTS_MAX = 1024 };

void client_drop(struct client *c)
{
	close_fd(&c->fd);
	wire_release(&c->wire);
}

void client_free(struct client *c)
{
	client_drop(c);
	cage_command_free(c->command);
	free(c->what);
	free(c);
}

void client_reply(struct client *c, const struct strv *words)
{
	/* who does not take an answer of a few words does not want it */
	if (c->fd >= 0 && wire_send(c->fd, words, NULL, 0) < 0)
		client_drop(c);
}

void client_reply_ok(struct client *c)
{
	cleanup_strv struct strv words = STRV_INIT;

	strv_add(&words, "ok");
	client_reply(c, &words);
}

void client_reply_error(struct client *c, struct error *e)
{
	cleanup_strv struct strv words = STRV_INIT;

	strv_add(&words, "error");
	strv_addf(&words, "errno=%d", e->errnum);
	strv_addf(&words, "text=%s", err_text(e));
	client_reply(c, &words);
	err_release(e);
}

void clients_accept(struct server *v)
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

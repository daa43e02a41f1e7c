// SPDX-License-Identifier: GPL-2.0-or-later
/* Streams and frames from the agent: see control.h. */
#include "umlcage/cage/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/xdg.h"

enum {
	BACKLOG = 4096,
	TRIES = 100,
	STREAMS_MAX = 64,	/* unclaimed, unless told otherwise */
};

/*
 * libslirp wants a path.  The socket is bound under a random name, held through
 * an O_PATH descriptor, and unlinked at once; connecting through /proc/self/fd
 * still finds it, and no death of this process leaves it behind.
 */
static int open_once(struct control *c, char path[108], struct error *e)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	cleanup_free char *dir = NULL, *name = NULL;
	cleanup_close int dirfd = -1;
	int ret;

	*c = (struct control){ .listener = -1, .name_fd = -1, .fd = -1, .index = -1,
			       .listener_index = -1, .streams_max = STREAMS_MAX };
	ret = xdg_dir(XDG_RUNTIME, "", &dir, e);
	if (ret < 0)
		return ret;
	dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return err_sys(e, errno, "cannot use '%s'", dir);
	name = xasprintf("control-%016llx", (unsigned long long)random_u64());
	snprintf(sun.sun_path, sizeof(sun.sun_path), "/proc/self/fd/%d/%s", dirfd, name);
	c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->listener < 0 || bind(c->listener, (const void *)&sun, sizeof(sun)) < 0) {
		ret = err_sys(e, errno, "cannot make the control socket in '%s'", dir);
	} else {
		c->name_fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (c->name_fd < 0)
			ret = err_sys(e, errno, "cannot use the control socket in '%s'", dir);
		(void)unlinkat(dirfd, name, 0);
	}
	/* if this was the only use of the folder, it was made for us */
	(void)rmdir(dir);
	if (ret == 0 && listen(c->listener, BACKLOG) < 0)
		ret = err_sys(e, errno, "cannot listen on the control socket");
	if (ret < 0) {
		control_close(c);
		return ret;
	}
	snprintf(path, 108, "/proc/self/fd/%d", c->name_fd);
	return 0;
}

int control_open(struct control *c, char path[108], struct error *e)
{
	int ret = -ENOENT;

	/* another cage that starts now may remove the folder between our steps */
	for (int i = 0; i < TRIES && ret == -ENOENT; i++) {
		if (i && e)
			err_release(e);
		ret = open_once(c, path, e);
	}
	return ret;
}

void control_add(struct control *c, int fd)
{
	struct control_stream *s;

	if (c->nstreams >= c->streams_max || fd_set_nonblock(fd, true) < 0) {
		close(fd);
		return;
	}
	s = xcalloc(1, sizeof(*s));
	s->fd = fd;
	s->index = -1;
	s->next = c->streams;
	c->streams = s;
	c->nstreams++;
}

static void accept_all(struct control *c)
{
	int fd;

	while ((fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
		control_add(c, fd);
}

static void drop(struct control *c, struct control_stream **at)
{
	struct control_stream *s = *at;

	*at = s->next;
	close_fd(&s->fd);
	free(s);
	c->nstreams--;
}

/* Reads what is missing of the hello; false: the stream is no use. */
static bool greet(struct control *c, struct control_stream *s)
{
	struct proto_hello h;
	ssize_t n;

	while (s->have < PROTO_HELLO_SIZE) {
		n = read(s->fd, s->hello + s->have, PROTO_HELLO_SIZE - s->have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0)
			return false;
		s->have += (size_t)n;
	}
	if (proto_hello_decode(s->hello, &h) < 0)
		return false;
	s->exec = h.exec;
	s->channel = h.channel;
	if (h.channel != CHAN_CONTROL)
		return true;
	/* the first to say so is the agent: it connects before anything else runs */
	if (c->fd < 0 && !c->lost)
		c->fd = steal_fd(&s->fd);
	return false;
}

void control_fill(struct control *c, struct pollset *ps)
{
	c->listener_index = pollset_add(ps, c->listener, POLLIN);
	c->index = pollset_add(ps, c->fd, (short)(POLLIN | (c->out.len ? POLLOUT : 0)));
	for (struct control_stream *s = c->streams; s; s = s->next)
		s->index = pollset_add(ps, s->have < PROTO_HELLO_SIZE ? s->fd : -1, POLLIN);
}

static void lose(struct control *c)
{
	close_fd(&c->fd);
	c->lost = true;
}

static void flush(struct control *c)
{
	while (c->fd >= 0 && c->out.len) {
		ssize_t n = send(c->fd, c->out.s, c->out.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (errno != EAGAIN)
				lose(c);
			return;
		}
		c->out.len -= (size_t)n;
		memmove(c->out.s, c->out.s + n, c->out.len);
	}
}

static void receive(struct control *c)
{
	while (c->fd >= 0 && c->in.len <= PROTO_MAX_FRAME + PROTO_HEADER) {
		ssize_t n = read(c->fd, sb_reserve(&c->in, 65536), 65536);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			lose(c);
			return;
		}
		c->in.len += (size_t)n;
		c->in.s[c->in.len] = '\0';
	}
}

void control_dispatch(struct control *c, const struct pollset *ps)
{
	/* the agent may have connected in this very turn: look at everything */
	accept_all(c);
	for (struct control_stream **at = &c->streams; *at;) {
		struct control_stream *s = *at;

		if (s->have < PROTO_HELLO_SIZE && !greet(c, s))
			drop(c, at);
		else
			at = &s->next;
	}
	flush(c);
	if (c->fd >= 0 && (pollset_revents(ps, c->index) || !c->in.len))
		receive(c);
}

int control_send(struct control *c, const struct proto_msg *m)
{
	int ret = proto_encode(m, &c->out);

	if (ret == 0)
		flush(c);
	return ret;
}

int control_next(struct control *c, struct proto_msg *m)
{
	int ret = proto_decode(&c->in, m);

	if (ret < 0)
		lose(c);
	return ret;
}

int control_claim(struct control *c, uint32_t exec, enum proto_channel channel)
{
	for (struct control_stream **at = &c->streams; *at; at = &(*at)->next) {
		struct control_stream *s = *at;

		if (s->have == PROTO_HELLO_SIZE && s->exec == exec && s->channel == channel) {
			int fd = steal_fd(&s->fd);

			drop(c, at);
			return fd;
		}
	}
	return -1;
}

void control_drop_unclaimed(struct control *c)
{
	for (struct control_stream **at = &c->streams; *at;) {
		if ((*at)->have == PROTO_HELLO_SIZE)
			drop(c, at);
		else
			at = &(*at)->next;
	}
}

void control_close(struct control *c)
{
	while (c->streams)
		drop(c, &c->streams);
	close_fd(&c->listener);
	close_fd(&c->name_fd);
	close_fd(&c->fd);
	sb_release(&c->in);
	sb_release(&c->out);
}

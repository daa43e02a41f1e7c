// SPDX-License-Identifier: GPL-2.0-or-later
/* Messages between a session and its clients: see private.h. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/session/private.h"

union wire_control {
	struct cmsghdr header;
	char space[CMSG_SPACE(WIRE_FDS * sizeof(int))];
};

/* The rest, once a part of a message is on its way. */
static int send_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int wire_send(int fd, const struct strv *words, const int *fds, size_t nfds)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	union wire_control control = { .space = { 0 } };
	struct iovec iov;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	uint32_t len = 0;
	ssize_t n;

	sb_add(&out, &len, sizeof(len));
	for (size_t i = 0; i < words->n; i++)
		sb_add(&out, words->v[i], strlen(words->v[i]) + 1);
	if (out.len - sizeof(len) > WIRE_MAX)
		return -EMSGSIZE;
	len = (uint32_t)(out.len - sizeof(len));
	memcpy(out.s, &len, sizeof(len));
	iov = (struct iovec){ out.s, out.len };
	if (nfds) {
		struct cmsghdr *c = (struct cmsghdr *)(void *)control.space;

		m.msg_control = control.space;
		m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	}
	do
		n = sendmsg(fd, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : send_all(fd, out.s + n, out.len - (size_t)n);
}

/* Descriptors that nobody asked for are closed. */
static void take_fds(struct wire *w, struct msghdr *m)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
		size_t n;

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(fd));
			if (w->nfds < WIRE_FDS)
				w->fds[w->nfds++] = fd;
			else
				close(fd);
		}
	}
}

int wire_receive(int fd, struct wire *w)
{
	union wire_control control;
	struct iovec iov = { .iov_base = sb_reserve(&w->in, 65536), .iov_len = 65536 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space,
			    .msg_controllen = sizeof(control.space) };
	ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	take_fds(w, &m);
	w->in.len += (size_t)n;
	w->in.s[w->in.len] = '\0';
	return n > 0;
}

int wire_next(struct wire *w, struct strv *words)
{
	uint32_t len;
	const char *at, *end;

	if (w->in.len < sizeof(len))
		return 0;
	memcpy(&len, w->in.s, sizeof(len));
	if (len > WIRE_MAX || len == 0)
		return -EPROTO;
	if (w->in.len - sizeof(len) < len)
		return 0;
	at = w->in.s + sizeof(len);
	end = at + len;
	if (end[-1] != '\0')
		return -EPROTO;
	strv_release(words);
	*words = (struct strv)STRV_INIT;
	for (; at < end; at += strlen(at) + 1)
		strv_add(words, at);
	w->in.len -= sizeof(len) + len;
	memmove(w->in.s, end, w->in.len + 1);
	return 1;
}

void wire_release(struct wire *w)
{
	for (size_t i = 0; i < w->nfds; i++)
		close_fd(&w->fds[i]);
	w->nfds = 0;
	sb_release(&w->in);
}

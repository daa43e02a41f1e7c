// SPDX-License-Identifier: GPL-2.0-or-later
/* One direction of a relay between two descriptors: see pump.h. */
#include "umlcage/base/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/progress.h"
#include "umlcage/base/str.h"

enum { FOREGROUND_MS = 250 };

void pump_open_shared(struct pump *p, int from, int to, bool to_socket, bool shared_to)
{
	*p = (struct pump){ .from = from, .to = to, .to_socket = to_socket,
			    .from_index = -1, .to_index = -1, .most = shared_to ? PIPE_BUF : 0 };
	p->buf = xmalloc(PUMP_BUFFER + PUMP_ROOM);
}

void pump_open(struct pump *p, int from, int to, bool to_socket)
{
	pump_open_shared(p, from, to, to_socket, false);
	(void)fd_set_nonblock(from, true);
	(void)fd_set_nonblock(to, true);
}

void pump_open_sink(struct pump *p, int from, void (*sink)(const char *, size_t, void *),
		    void *arg)
{
	pump_open_shared(p, from, -1, false, false);
	(void)fd_set_nonblock(from, true);
	p->sink = sink;
	p->sink_arg = arg;
}

int pump_own(int fd, bool for_writing, bool *shared)
{
	char path[64];
	struct stat st;
	int own = -1;

	if (fstat(fd, &st) < 0)
		return -errno;
	*shared = false;
	if (S_ISFIFO(st.st_mode) || (S_ISCHR(st.st_mode) && isatty(fd))) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		own = open(path, (for_writing ? O_WRONLY : O_RDONLY) | O_NONBLOCK | O_NOCTTY |
				 O_CLOEXEC);
		if (own >= 0)
			return own;
	}
	*shared = !S_ISREG(st.st_mode);
	own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return own < 0 ? -errno : own;
}

void pump_park(struct pump *p)
{
	close_fd(&p->from);
	p->parked = true;
}

void pump_unpark(struct pump *p, int from)
{
	p->from = from;
	p->from_index = -1;
	p->parked = false;
}

void pump_redirect(struct pump *p, int to, bool shared, const char *data, size_t len)
{
	if (!p->buf)
		p->buf = xmalloc(PUMP_BUFFER + PUMP_ROOM);
	/* a sink has taken everything */
	memcpy(p->buf, data, len);
	p->start = 0;
	p->end = len;
	p->to = to;
	p->to_index = -1;
	p->most = shared ? PIPE_BUF : 0;
	p->sink = NULL;
}

void pump_divert(struct pump *p, void (*sink)(const char *, size_t, void *), void *arg)
{
	close_fd(&p->to);
	p->to_index = -1;
	p->most = 0;
	p->sink = sink;
	p->sink_arg = arg;
}

bool pump_done(const struct pump *p)
{
	return p->from < 0 && p->to < 0;
}

static void close_to(struct pump *p)
{
	if (p->to_socket && p->to >= 0)
		(void)shutdown(p->to, SHUT_WR);
	close_fd(&p->to);
}

void pump_close(struct pump *p)
{
	close_fd(&p->from);
	close_to(p);
	free_ptr(&p->buf);
	p->start = p->end = 0;
}

void pump_fill(struct pump *p, struct pollset *ps)
{
	bool full = p->end >= PUMP_BUFFER && p->start < p->end;
	bool empty = p->end == p->start;
	bool away = p->job_control && p->from >= 0 && in_background(p->from);

	/* nobody says when a job becomes the foreground's */
	if (away)
		pollset_until(ps, clock_ms() + FOREGROUND_MS);
	p->from_index = pollset_add(ps, full || away || p->held ? -1 : p->from, POLLIN);
	/*
	 * Also without anything to write: that nobody reads any more is news.  Streams that
	 * go one way tell it so: a peer that shut its side down has closed; what libslirp makes of that
	 * is an end of file and no reset, and a window that stays shut.
	 */
	p->to_index = pollset_add(ps, p->to, (short)((empty ? 0 : POLLOUT) |
						     (p->to_socket && !p->both_ways ? POLLRDHUP : 0)));
}

/* Nobody takes it any more: let the writer know by closing its end. */
static void refused(struct pump *p)
{
	if (p->stays) {
		close_fd(&p->to);
		p->start = p->end = 0;
	} else {
		pump_close(p);
	}
}

static void pull(struct pump *p)
{
	if (p->start == p->end)
		p->start = p->end = 0;
	if (p->from < 0 || p->end >= PUMP_BUFFER)
		return;

	ssize_t n = read(p->from, p->buf + p->end, PUMP_BUFFER - p->end);

	if (n > 0) {
		p->end += p->filter ? p->filter(p->buf + p->end, (size_t)n, p->filter_arg) : (size_t)n;
	} else if (n < 0 && errno == EAGAIN) {
		if (p->draining && clock_ms() >= p->drain_until)
			close_fd(&p->from);
	} else if (n == 0 || errno != EINTR) {
		/* end of file; EIO is how a terminal says that its last user is gone */
		close_fd(&p->from);
		p->parked |= p->stays;
	}
}

static void push(struct pump *p, bool once)
{
	if (p->sink && p->start < p->end) {
		p->sink(p->buf + p->start, p->end - p->start, p->sink_arg);
		p->start = p->end;
	}
	while (p->to >= 0 && p->start < p->end) {
		size_t len = p->end - p->start;

		if (p->most && len > p->most)
			len = p->most;

		ssize_t n = p->to_socket ? send(p->to, p->buf + p->start, len, MSG_NOSIGNAL) :
					   write(p->to, p->buf + p->start, len);

		if (n >= 0) {
			p->start += (size_t)n;
		} else if (errno == EAGAIN) {
			return;
		} else if (errno != EINTR) {
			if (errno != EPIPE && errno != ECONNRESET)
				p->error = errno;
			refused(p);
			return;
		}
		if (once)
			break;
	}
	if (p->from < 0 && p->start == p->end && !p->parked)
		close_to(p);
}

void pump_dispatch(struct pump *p, const struct pollset *ps)
{
	short to = pollset_revents(ps, p->to_index);

	if (pump_done(p))
		return;
	if (to & (POLLERR | POLLHUP | POLLNVAL | POLLRDHUP)) {
		refused(p);
		return;
	}
	if (p->draining || pollset_revents(ps, p->from_index))
		pull(p);
	/* a shared descriptor may block: write only what poll() promised */
	if (!p->most)
		push(p, false);
	else if ((to & POLLOUT) || p->start == p->end)
		push(p, true);
}

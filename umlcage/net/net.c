// SPDX-License-Identifier: GPL-2.0-or-later
/* libslirp behind a pair of sockets: see net.h. */
#include "umlcage/net/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <slirp/libslirp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/progress.h"
#include "umlcage/base/str.h"
#include "umlcage/net/addresses.h"
#include "umlcage/net/filter.h"

enum {
	FRAME_MAX = 65536,
	BATCH = 32,		/* frames taken from the guest before others get a turn */
	QUEUE_MAX = 1024,	/* frames kept for a guest that is behind; then TCP copes */
};

struct packet {
	struct packet *next;
	size_t len;
	uint8_t data[];
};

struct timer {
	struct timer *next;
	SlirpTimerId id;
	void *cb_opaque;
	int64_t expires_ms;	/* -1: not set */
};

struct net {
	Slirp *slirp;
	int link;
	int link_index;		/* of the current turn */
	bool closed;
	struct packet *queue, **queue_end;
	size_t queued;
	struct timer *timers;
	struct net_filter filter;
	bool filtering;
	struct pollset *filling;	/* during net_fill() */
	const struct pollset *polled;	/* during net_dispatch() */
	uint8_t frame[FRAME_MAX];
};

static int64_t clock_ns(void *opaque)
{
	struct timespec ts;

	(void)opaque;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static ssize_t send_packet(const void *buf, size_t len, void *opaque)
{
	struct net *net = opaque;

	if (!net->queue) {
		ssize_t n = send(net->link, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n >= 0)
			return n;
		if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR) {
			net->closed = true;
			return (ssize_t)len;
		}
	}
	if (net->queued < QUEUE_MAX) {
		struct packet *p = xmalloc(sizeof(*p) + len);

		p->next = NULL;
		p->len = len;
		memcpy(p->data, buf, len);
		*net->queue_end = p;
		net->queue_end = &p->next;
		net->queued++;
	}
	return (ssize_t)len;
}

static void flush_queue(struct net *net)
{
	while (net->queue) {
		struct packet *p = net->queue;

		if (send(net->link, p->data, p->len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
			if (errno == EAGAIN || errno == ENOBUFS || errno == EINTR)
				return;
			net->closed = true;
		}
		net->queue = p->next;
		if (!net->queue)
			net->queue_end = &net->queue;
		net->queued--;
		free(p);
	}
}

static void guest_error(const char *msg, void *opaque)
{
	(void)msg;
	(void)opaque;
}

static void *timer_new(SlirpTimerId id, void *cb_opaque, void *opaque)
{
	struct net *net = opaque;
	struct timer *t = xcalloc(1, sizeof(*t));

	t->id = id;
	t->cb_opaque = cb_opaque;
	t->expires_ms = -1;
	t->next = net->timers;
	net->timers = t;
	return t;
}

static void timer_free(void *timer, void *opaque)
{
	struct net *net = opaque;

	for (struct timer **at = &net->timers; *at; at = &(*at)->next) {
		if (*at == timer) {
			*at = (*at)->next;
			free(timer);
			return;
		}
	}
}

static void timer_mod(void *timer, int64_t expires_ms, void *opaque)
{
	(void)opaque;
	((struct timer *)timer)->expires_ms = expires_ms;
}

static void register_fd(int fd, void *opaque)
{
	(void)fd;
	(void)opaque;
}

static void notify(void *opaque)
{
	(void)opaque;
}

static const SlirpCb callbacks = {
	.send_packet = send_packet,
	.guest_error = guest_error,
	.clock_get_ns = clock_ns,
	.timer_new_opaque = timer_new,
	.timer_free = timer_free,
	.timer_mod = timer_mod,
	.register_poll_fd = register_fd,
	.unregister_poll_fd = register_fd,
	.notify = notify,
};

static struct in_addr v4(const char *text)
{
	struct in_addr a = { 0 };

	inet_pton(AF_INET, text, &a);
	return a;
}

static struct in6_addr v6(const char *text)
{
	struct in6_addr a = { 0 };

	inet_pton(AF_INET6, text, &a);
	return a;
}

static int open_with(struct net **out, int link_fd, const SlirpConfig *cfg, struct error *e)
{
	struct net *net = xcalloc(1, sizeof(*net));

	net->link = link_fd;
	net->queue_end = &net->queue;
	net->link_index = -1;

	int ret = fd_set_nonblock(link_fd, true);

	if (ret < 0) {
		net_close(net);
		return err_sys(e, -ret, "cannot use the network link");
	}
	net->slirp = slirp_new(cfg, &callbacks, net);
	if (!net->slirp) {
		net_close(net);
		return err_set(e, EINVAL, "libslirp refused its configuration (version %s)",
			       slirp_version_string());
	}
	*out = net;
	return 0;
}

int net_open_user(struct net **net, int link_fd, const struct net_user_config *user,
		  struct error *e)
{
	SlirpConfig cfg = {
		.version = 4,
		.restricted = user->restricted,
		.in_enabled = true,
		.vnetwork = v4(NET_NETWORK), .vnetmask = v4(NET_MASK),
		.vhost = v4(NET_ROUTER), .vnameserver = v4(NET_DNS),
		.vdhcp_start = v4(NET_GUEST),
		.in6_enabled = true,
		.vprefix_addr6 = v6(NET6_PREFIX), .vprefix_len = NET6_PREFIX_LEN,
		.vhost6 = v6(NET6_ROUTER), .vnameserver6 = v6(NET6_DNS),
		.if_mtu = NET_MTU, .if_mru = NET_MTU,
		.disable_host_loopback = !user->reach_host,
		.disable_dhcp = true,
	};
	int ret = open_with(net, link_fd, &cfg, e);

	if (ret == 0)
		(*net)->filtering = !user->reach_host;
	return ret;
}

int net_open_control(struct net **net, int link_fd, const char *path, struct error *e)
{
	SlirpConfig cfg = {
		.version = 4,
		.restricted = true,
		.in_enabled = true,
		.vnetwork = v4(CONTROL_NETWORK), .vnetmask = v4(CONTROL_MASK),
		.vhost = v4(CONTROL_ROUTER),
		.if_mtu = NET_MTU, .if_mru = NET_MTU,
		.disable_host_loopback = true,
		.disable_dns = true,
		.disable_dhcp = true,
	};
	int ret = open_with(net, link_fd, &cfg, e);

	if (ret < 0)
		return ret;

	struct in_addr server = v4(CONTROL_SERVER);

	if (slirp_add_unix((*net)->slirp, path, &server, CONTROL_PORT) < 0) {
		net_close(*net);
		return err_set(e, EINVAL, "libslirp refused the control socket");
	}
	return 0;
}

static int publish_error(int errnum, const struct sockaddr *host, struct error *e)
{
	const struct sockaddr_in *sin = (const void *)host;
	const struct sockaddr_in6 *sin6 = (const void *)host;
	bool is6 = host->sa_family == AF_INET6;
	char text[INET6_ADDRSTRLEN] = "";

	inet_ntop(host->sa_family, is6 ? (const void *)&sin6->sin6_addr :
					 (const void *)&sin->sin_addr, text, sizeof(text));
	err_sys(e, errnum, "cannot publish port %u of %s", ntohs(is6 ? sin6->sin6_port : sin->sin_port),
		text);
	return err_hint(e, "choose another one");
}

int net_publish(struct net *net, bool udp, const struct sockaddr *host, uint16_t guest_port,
		struct error *e)
{
	struct sockaddr_in guest4 = { .sin_family = AF_INET, .sin_port = htons(guest_port),
				      .sin_addr = v4(NET_GUEST) };
	struct sockaddr_in6 guest6 = { .sin6_family = AF_INET6, .sin6_port = htons(guest_port),
				       .sin6_addr = v6(NET6_GUEST) };
	bool is6 = host->sa_family == AF_INET6;
	const struct sockaddr *guest = is6 ? (const void *)&guest6 : (const void *)&guest4;
	socklen_t len = is6 ? sizeof(guest6) : sizeof(guest4);
	int flags = (udp ? SLIRP_HOSTFWD_UDP : 0) | (is6 ? SLIRP_HOSTFWD_V6ONLY : 0);

	if (slirp_add_hostxfwd(net->slirp, host, len, guest, len, flags) < 0)
		return publish_error(errno ? errno : EINVAL, host, e);
	return 0;
}

static int add_poll(int fd, int events, void *opaque)
{
	struct net *net = opaque;
	short wanted = 0;

	if (events & SLIRP_POLL_IN)
		wanted |= POLLIN;
	if (events & SLIRP_POLL_OUT)
		wanted |= POLLOUT;
	if (events & SLIRP_POLL_PRI)
		wanted |= POLLPRI;
	return pollset_add(net->filling, fd, wanted);
}

static int get_revents(int index, void *opaque)
{
	struct net *net = opaque;
	short got = pollset_revents(net->polled, index);
	int events = 0;

	if (got & POLLIN)
		events |= SLIRP_POLL_IN;
	if (got & POLLOUT)
		events |= SLIRP_POLL_OUT;
	if (got & POLLPRI)
		events |= SLIRP_POLL_PRI;
	if (got & (POLLERR | POLLNVAL))
		events |= SLIRP_POLL_ERR;
	if (got & POLLHUP)
		events |= SLIRP_POLL_HUP;
	return events;
}

void net_fill(struct net *net, struct pollset *ps)
{
	uint32_t timeout = UINT32_MAX;

	net->filling = ps;
	net->link_index = pollset_add(ps, net->closed ? -1 : net->link,
				      (short)(POLLIN | (net->queue ? POLLOUT : 0)));
	slirp_pollfds_fill(net->slirp, &timeout, add_poll, net);
	net->filling = NULL;
	if (timeout != UINT32_MAX)
		pollset_until(ps, clock_ms() + (int64_t)timeout);
	for (const struct timer *t = net->timers; t; t = t->next)
		if (t->expires_ms >= 0)
			pollset_until(ps, t->expires_ms);
}

static void take_frame(struct net *net, size_t len)
{
	uint8_t reply[NET_FILTER_REPLY_MAX];
	size_t reply_len = 0;

	if (net->filtering && !net_filter_pass(&net->filter, net->frame, len, reply, &reply_len)) {
		if (reply_len)
			send_packet(reply, reply_len, net);
		return;
	}
	slirp_input(net->slirp, net->frame, (int)len);
}

static void take_frames(struct net *net)
{
	if (net->filtering)
		net_filter_refresh(&net->filter);
	for (int i = 0; i < BATCH && !net->closed; i++) {
		ssize_t n = recv(net->link, net->frame, sizeof(net->frame), MSG_DONTWAIT);

		if (n > 0)
			take_frame(net, (size_t)n);
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			net->closed = true;
		else
			return;
	}
}

bool net_dispatch(struct net *net, const struct pollset *ps, bool wait_failed)
{
	short revents = pollset_revents(ps, net->link_index);

	net->polled = ps;
	slirp_pollfds_poll(net->slirp, wait_failed, get_revents, net);
	net->polled = NULL;
	if (revents & POLLOUT)
		flush_queue(net);
	if (revents & (POLLIN | POLLHUP | POLLERR))
		take_frames(net);

	int64_t now = clock_ms();

	for (struct timer *t = net->timers, *next; t; t = next) {
		next = t->next;
		if (t->expires_ms >= 0 && t->expires_ms <= now) {
			t->expires_ms = -1;
			slirp_handle_timer(net->slirp, t->id, t->cb_opaque);
		}
	}
	return !net->closed;
}

void net_close(struct net *net)
{
	if (!net)
		return;
	if (net->slirp)
		slirp_cleanup(net->slirp);
	while (net->queue) {
		struct packet *p = net->queue;

		net->queue = p->next;
		free(p);
	}
	while (net->timers)
		timer_free(net->timers, net);
	net_filter_release(&net->filter);
	close_fd(&net->link);
	free(net);
}

bool net_host_has_ipv6(void)
{
	/* documentation prefix (RFC 3849): connecting a datagram socket sends nothing */
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(9),
				    .sin6_addr = v6("2001:db8::1") };
	cleanup_close int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && connect(fd, (const void *)&any, sizeof(any)) == 0;
}

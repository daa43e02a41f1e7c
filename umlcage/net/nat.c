// SPDX-License-Identifier: GPL-2.0-or-later
/* libslirp behind a pair of sockets: see nat.h. */
#include "umlcage/net/nat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <slirp/libslirp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/progress.h"
#include "umlcage/base/str.h"
#include "umlcage/net/addresses.h"
#include "umlcage/net/filter.h"
#include "umlcage/net/flows.h"
#include "umlcage/net/policy.h"

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

struct nat {
	Slirp *slirp;
	int link;
	int link_index;		/* of the current turn */
	bool closed;
	struct packet *queue, **queue_end;
	size_t queued;
	struct timer *timers;
	struct net_filter filter;
	bool filtering;
	struct net_policy *policy;	/* NULL: there is nothing to decide or to write down */
	struct flows flows;
	struct pollset *filling;	/* during nat_fill() */
	const struct pollset *polled;	/* during nat_dispatch() */
	uint8_t frame[FRAME_MAX];
};

static int64_t get_ns(void *opaque)
{
	(void)opaque;
	return clock_ns();
}

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

enum { DNS_PORT = 53 };

/* One of ours: answers from within libslirp, and, if the host may be reached, that. */
static bool is_virtual(const struct packet_info *p)
{
	struct in_addr net4 = v4(NET_NETWORK);
	struct in6_addr net6 = v6(NET6_PREFIX);

	if (p->family == AF_INET)
		return memcmp(p->remote, &net4, NET_PREFIX_LEN / 8) == 0;
	/* neighbours and routers are looked for at link-local addresses */
	return memcmp(p->remote, &net6, NET6_PREFIX_LEN / 8) == 0 ||
	       ((p->protocol == IPPROTO_ICMPV6 || p->protocol == IPPROTO_HOPOPTS) &&
		(p->remote[0] == 0xff || (p->remote[0] == 0xfe && (p->remote[1] & 0xc0) == 0x80)));
}

/* The host by the name that it has in the cage, where that leads nowhere. */
static bool is_closed_host(const struct nat *nat, const struct packet_info *p)
{
	struct in_addr router4 = v4(NET_ROUTER);
	struct in6_addr router6 = v6(NET6_ROUTER);

	return nat->filtering && (p->protocol == IPPROTO_TCP || p->protocol == IPPROTO_UDP) &&
	       memcmp(p->remote, p->family == AF_INET ? (void *)&router4 : (void *)&router6,
		      p->family == AF_INET ? 4 : 16) == 0;
}

static void look_at_reply(struct nat *nat, const uint8_t *frame, size_t len)
{
	struct in_addr dns4 = v4(NET_DNS);
	struct in6_addr dns6 = v6(NET6_DNS);
	struct packet_info p;

	if (!packet_read(&p, frame, len, false))
		return;
	if (p.protocol == IPPROTO_UDP && p.remote_port == DNS_PORT && p.data &&
	    memcmp(p.remote, p.family == AF_INET ? (void *)&dns4 : (void *)&dns6,
		   p.family == AF_INET ? 4 : 16) == 0)
		net_policy_learn(nat->policy, p.data, p.payload);
	if (nat->policy->log_fd >= 0)
		flows_count(&nat->flows, nat->policy, &p, false, true);
}

/* True: it may go out. */
static bool look_at_frame(struct nat *nat, const uint8_t *frame, size_t len, bool refused)
{
	struct packet_info p;

	/* what is no IP is for libslirp itself */
	if (!packet_read(&p, frame, len, true))
		return !refused;
	refused = refused || (!is_virtual(&p) && !net_policy_allows(nat->policy, p.family, p.remote,
								    p.remote_port));
	/* what answers a published port is of a flow that the host has begun */
	if (nat->policy->log_fd >= 0)
		flows_count(&nat->flows, nat->policy, &p, true, !refused && !is_closed_host(nat, &p));
	return !refused;
}

static ssize_t send_packet(const void *buf, size_t len, void *opaque)
{
	struct nat *nat = opaque;

	if (nat->policy)
		look_at_reply(nat, buf, len);
	if (!nat->queue) {
		ssize_t n = send(nat->link, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n >= 0)
			return n;
		if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR) {
			nat->closed = true;
			return (ssize_t)len;
		}
	}
	if (nat->queued < QUEUE_MAX) {
		struct packet *p = xmalloc(sizeof(*p) + len);

		p->next = NULL;
		p->len = len;
		memcpy(p->data, buf, len);
		*nat->queue_end = p;
		nat->queue_end = &p->next;
		nat->queued++;
	}
	return (ssize_t)len;
}

static void flush_queue(struct nat *nat)
{
	while (nat->queue) {
		struct packet *p = nat->queue;

		if (send(nat->link, p->data, p->len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
			if (errno == EAGAIN || errno == ENOBUFS || errno == EINTR)
				return;
			nat->closed = true;
		}
		nat->queue = p->next;
		if (!nat->queue)
			nat->queue_end = &nat->queue;
		nat->queued--;
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
	struct nat *nat = opaque;
	struct timer *t = xcalloc(1, sizeof(*t));

	t->id = id;
	t->cb_opaque = cb_opaque;
	t->expires_ms = -1;
	t->next = nat->timers;
	nat->timers = t;
	return t;
}

static void timer_free(void *timer, void *opaque)
{
	struct nat *nat = opaque;

	for (struct timer **at = &nat->timers; *at; at = &(*at)->next) {
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
	.clock_get_ns = get_ns,
	.timer_new_opaque = timer_new,
	.timer_free = timer_free,
	.timer_mod = timer_mod,
	.register_poll_fd = register_fd,
	.unregister_poll_fd = register_fd,
	.notify = notify,
};

static int open_with(struct nat **out, int link_fd, const SlirpConfig *cfg, struct error *e)
{
	struct nat *nat = xcalloc(1, sizeof(*nat));

	nat->link = link_fd;
	nat->queue_end = &nat->queue;
	nat->link_index = -1;

	int ret = fd_set_nonblock(link_fd, true);

	if (ret < 0) {
		nat_close(nat);
		return err_sys(e, -ret, "cannot use the network link");
	}
	nat->slirp = slirp_new(cfg, &callbacks, nat);
	if (!nat->slirp) {
		nat_close(nat);
		return err_set(e, EINVAL, "libslirp refused its configuration (version %s)",
			       slirp_version_string());
	}
	*out = nat;
	return 0;
}

int nat_open_user(struct nat **nat, int link_fd, const struct net_user_config *user,
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
	int ret = open_with(nat, link_fd, &cfg, e);

	if (ret == 0)
		(*nat)->filtering = !user->reach_host;
	if (ret == 0 && user->policy && net_policy_any(user->policy))
		(*nat)->policy = user->policy;
	return ret;
}

int nat_open_control(struct nat **nat, int link_fd, const char *path, struct error *e)
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
	int ret = open_with(nat, link_fd, &cfg, e);

	if (ret < 0)
		return ret;

	struct in_addr server = v4(CONTROL_SERVER);

	if (slirp_add_unix((*nat)->slirp, path, &server, CONTROL_PORT) < 0) {
		nat_close(*nat);
		return err_set(e, EINVAL, "libslirp refused the control socket");
	}
	return 0;
}

int nat_publish(struct nat *nat, bool udp, const struct sockaddr *host, uint16_t guest_port,
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

	if (slirp_add_hostxfwd(nat->slirp, host, len, guest, len, flags) < 0)
		return err_set(e, EINVAL, "libslirp refused a published port");
	return 0;
}

void nat_unpublish(struct nat *nat, bool udp, const struct sockaddr *host)
{
	bool is6 = host->sa_family == AF_INET6;

	(void)slirp_remove_hostxfwd(nat->slirp, host,
				    is6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in),
				    udp ? SLIRP_HOSTFWD_UDP : 0);
}

static int add_poll(int fd, int events, void *opaque)
{
	struct nat *nat = opaque;
	short wanted = 0;

	if (events & SLIRP_POLL_IN)
		wanted |= POLLIN;
	if (events & SLIRP_POLL_OUT)
		wanted |= POLLOUT;
	if (events & SLIRP_POLL_PRI)
		wanted |= POLLPRI;
	return pollset_add(nat->filling, fd, wanted);
}

static int get_revents(int index, void *opaque)
{
	struct nat *nat = opaque;
	short got = pollset_revents(nat->polled, index);
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

void nat_fill(struct nat *nat, struct pollset *ps)
{
	uint32_t timeout = UINT32_MAX;

	nat->filling = ps;
	nat->link_index = pollset_add(ps, nat->closed ? -1 : nat->link,
				      (short)(POLLIN | (nat->queue ? POLLOUT : 0)));
	slirp_pollfds_fill(nat->slirp, &timeout, add_poll, nat);
	nat->filling = NULL;
	if (timeout != UINT32_MAX)
		pollset_until(ps, clock_ms() + (int64_t)timeout);
	for (const struct timer *t = nat->timers; t; t = t->next)
		if (t->expires_ms >= 0)
			pollset_until(ps, t->expires_ms);
}

static void take_frame(struct nat *nat, size_t len)
{
	uint8_t reply[NET_FILTER_REPLY_MAX];
	size_t reply_len = 0;
	bool pass = !nat->filtering || net_filter_pass(&nat->filter, nat->frame, len, reply, &reply_len);

	if (pass && net_filter_is_fragment(nat->frame, len)) {
		pass = false;
		reply_len = net_filter_refuse(nat->frame, len, reply);
	}
	if (nat->policy && !look_at_frame(nat, nat->frame, len, !pass) && pass) {
		pass = false;
		reply_len = net_filter_refuse(nat->frame, len, reply);
	}
	if (pass)
		slirp_input(nat->slirp, nat->frame, (int)len);
	else if (reply_len)
		send_packet(reply, reply_len, nat);
}

static void take_frames(struct nat *nat)
{
	for (int i = 0; i < BATCH && !nat->closed; i++) {
		ssize_t n = recv(nat->link, nat->frame, sizeof(nat->frame), MSG_DONTWAIT);

		if (n > 0)
			take_frame(nat, (size_t)n);
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			nat->closed = true;
		else
			return;
	}
}

bool nat_dispatch(struct nat *nat, const struct pollset *ps, bool wait_failed)
{
	short revents = pollset_revents(ps, nat->link_index);

	nat->polled = ps;
	slirp_pollfds_poll(nat->slirp, wait_failed, get_revents, nat);
	nat->polled = NULL;
	if (revents & POLLOUT)
		flush_queue(nat);
	if (revents & (POLLIN | POLLHUP | POLLERR))
		take_frames(nat);

	int64_t now = clock_ms();

	for (struct timer *t = nat->timers, *next; t; t = next) {
		next = t->next;
		if (t->expires_ms >= 0 && t->expires_ms <= now) {
			t->expires_ms = -1;
			slirp_handle_timer(nat->slirp, t->id, t->cb_opaque);
		}
	}
	return !nat->closed;
}

bool nat_was_told(const struct nat *nat, const struct pollset *ps)
{
	return pollset_revents(ps, nat->link_index) != 0;
}

struct net_filter *nat_filter(struct nat *nat)
{
	return nat->filtering ? &nat->filter : NULL;
}

void nat_finish(struct nat *nat)
{
	if (nat->policy)
		flows_release(&nat->flows, nat->policy);
}

void nat_close(struct nat *nat)
{
	if (!nat)
		return;
	if (nat->slirp)
		slirp_cleanup(nat->slirp);
	while (nat->queue) {
		struct packet *p = nat->queue;

		nat->queue = p->next;
		free(p);
	}
	while (nat->timers)
		timer_free(nat->timers, nat);
	net_filter_release(&nat->filter);
	close_fd(&nat->link);
	free(nat);
}

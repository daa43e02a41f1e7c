/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User-mode networking for a cage.
 *
 * A `struct net` is what the supervisor has of it: a helper process in which libslirp runs and
 * which has nothing to lose (helper.h), since what it parses is written by the guest.
 *
 *	net_open(&net, link, path, &e);
 *	net_open_user(net, link, &cfg, &e);	(if there is one)
 *	net_start(net, &e);
 *	net_publish(net, ...);			(any number, at any time)
 *
 * From then on it takes part in its owner's event loop: net_fill() before poll(), net_dispatch()
 * after it.
 */
#ifndef UMLCAGE_NET_NET_H
#define UMLCAGE_NET_NET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "umlcage/base/error.h"
#include "umlcage/base/pollset.h"

struct net;
struct net_policy;		/* policy.h */

struct net_user_config {
	bool restricted;	/* nothing leaves; published ports still work */
	bool reach_host;	/* packets to the host's own addresses pass */
	struct net_policy *policy;	/* NULL: none; the caller's, needed until net_start() */
};

/*
 * The control network on @link_fd, the end of a SOCK_SEQPACKET pair, which it takes (also on
 * failure): every connection of the guest to CONTROL_SERVER:CONTROL_PORT becomes a stream, nothing
 * else goes anywhere.  Streams come by net_next_stream(), or, where the host has no filters of
 * system calls, as connections to the Unix socket at @path (at most 107 bytes), of which
 * @path_fd is what it refers to.
 */
int net_open(struct net **net, int link_fd, const char *path, int path_fd, struct error *e);
/*
 * The user's network on @link_fd, which it takes (also on failure): NAT, DNS,
 * IPv4 and IPv6 with the numbers of addresses.h.
 */
int net_open_user(struct net *net, int link_fd, const struct net_user_config *cfg,
		  struct error *e);
/* Starts the helper, which dies with this process. */
int net_start(struct net *net, struct error *e);
/* Publishes @host (address, port) as @guest_port of the guest, once it has started. */
int net_publish(struct net *net, bool udp, const struct sockaddr *host, uint16_t guest_port,
		struct error *e);
/* Takes it back; connections that there are go on.  -ENOENT: it is not published. */
int net_unpublish(struct net *net, bool udp, const struct sockaddr *host, struct error *e);

void net_fill(struct net *net, struct pollset *ps);
/* 0, or -EIO with the cause when the helper is gone. */
int net_dispatch(struct net *net, const struct pollset *ps, struct error *e);
/* The next stream of the guest, the caller's from now on; -1: none. */
int net_next_stream(struct net *net);
/* Ends it; NULL is fine. */
void net_close(struct net *net);

/* True if this host has a route for IPv6 to the world. */
bool net_host_has_ipv6(void);

#endif

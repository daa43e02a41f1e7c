/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User-mode networking for a cage: the only user of libslirp (>= 4.7).
 *
 * A `struct net` is one libslirp instance behind one end of a SOCK_SEQPACKET
 * pair whose other end is a vecN interface of the guest.  It takes part in its
 * owner's event loop: net_fill() before poll(), net_dispatch() after it.
 */
#ifndef UMLCAGE_NET_NET_H
#define UMLCAGE_NET_NET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "umlcage/base/error.h"
#include "umlcage/base/pollset.h"

struct net;

struct net_user_config {
	bool restricted;	/* nothing leaves; published ports still work */
	bool reach_host;	/* packets to the host's own addresses pass */
};

/*
 * The user's network on @link_fd, which it takes (also on failure): NAT, DNS,
 * IPv4 and IPv6 with the numbers of addresses.h.
 */
int net_open_user(struct net **net, int link_fd, const struct net_user_config *cfg,
		  struct error *e);

/*
 * The control network on @link_fd, which it takes: every connection of the guest
 * to CONTROL_SERVER:CONTROL_PORT becomes one to the Unix socket at @path (at most
 * 107 bytes); nothing else goes anywhere.
 */
int net_open_control(struct net **net, int link_fd, const char *path, struct error *e);

/* Publishes @host (address, port) as @guest_port of the guest. */
int net_publish(struct net *net, bool udp, const struct sockaddr *host, uint16_t guest_port,
		struct error *e);

void net_fill(struct net *net, struct pollset *ps);
/*
 * @wait_failed: pollset_wait() returned an error.  Returns false when the guest's
 * end of the link is closed.
 */
bool net_dispatch(struct net *net, const struct pollset *ps, bool wait_failed);
void net_close(struct net *net);

/* True if this host has a route for IPv6 to the world. */
bool net_host_has_ipv6(void);

#endif

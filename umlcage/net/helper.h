/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process in which a cage's networks run.  Before the first packet it gives up everything
 * but its sockets (confine.h): no file can be opened, no socket made but for TCP, UDP and
 * ICMP, nothing executed.  Messages on its channel, from the supervisor:
 *
 *	HELPER_ADDRESSES	those of the host
 *	HELPER_RESOLV		with a descriptor: the host's resolv.conf
 *	HELPER_PUBLISH		with a socket that is bound (and listens): a published port
 *	HELPER_UNPUBLISH	not published any more
 *
 * and to it, with a descriptor each: a stream of the guest.
 */
#ifndef UMLCAGE_NET_HELPER_H
#define UMLCAGE_NET_HELPER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "umlcage/net/nat.h"

enum { HELPER_MESSAGE_MAX = 65536, HELPER_ADDRESSES_MAX = 1024 };

enum helper_type { HELPER_ADDRESSES = 1, HELPER_RESOLV, HELPER_PUBLISH, HELPER_UNPUBLISH };

struct helper_message {
	uint32_t type;
	uint32_t nv4, nv6;	/* HELPER_ADDRESSES: so many struct in6_addr follow, then in_addr */
	struct sockaddr_storage host;	/* HELPER_PUBLISH, HELPER_UNPUBLISH */
	uint16_t guest_port;
	bool udp;
};

struct helper {
	struct nat *control, *user;	/* user may be NULL */
	int channel;		/* SOCK_SEQPACKET */
	int path_fd;		/* see net_open() */
	int resolv_fd;		/* the host's resolv.conf */
	int log_fd;		/* of the policy; -1: none */
	pid_t parent;
};

/* In a child of its own, which ends in here. */
void helper_run(struct helper *h) __attribute__((noreturn));

#endif

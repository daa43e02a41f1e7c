/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the guest may not reach: the host itself.  libslirp connects to whatever
 * address a packet names, as the user; without this filter every local service of
 * the host that trusts its own addresses would be open to the guest.
 */
#ifndef UMLCAGE_NET_FILTER_H
#define UMLCAGE_NET_FILTER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net_filter {
	struct in_addr *v4;
	size_t nv4;
	struct in6_addr *v6;
	size_t nv6;
};

/* Reads the host's addresses. */
void net_filter_read_addresses(struct net_filter *f);
/* Takes these for the host's: @nv4 struct in_addr, @nv6 struct in6_addr, not aligned. */
void net_filter_set_addresses(struct net_filter *f, const void *v4, size_t nv4, const void *v6,
			      size_t nv6);
void net_filter_release(struct net_filter *f);

enum { NET_FILTER_REPLY_MAX = 1280 };

/*
 * Looks at one Ethernet frame from the guest.  True: pass it on.  False: it names
 * an address of the host; *@reply_len bytes of @reply (0: none) are an ICMP
 * "administratively prohibited" to send back (RFC 1812 5.2.7.1, RFC 4443 3.1).
 */
bool net_filter_pass(const struct net_filter *f, const uint8_t *frame, size_t len,
		     uint8_t reply[NET_FILTER_REPLY_MAX], size_t *reply_len);

/*
 * A fragment of an IPv4 packet, which is for nobody: with the right ones libslirp's reassembly
 * takes bytes of theirs for an address and writes to it (seen with 4.7.0).  A guest sends them
 * for datagrams of more than 16,000 bytes only.
 */
bool net_filter_is_fragment(const uint8_t *frame, size_t len);
/* The answer to a frame that must not pass for another reason; its bytes, 0: none. */
size_t net_filter_refuse(const uint8_t *frame, size_t len, uint8_t reply[NET_FILTER_REPLY_MAX]);

#endif

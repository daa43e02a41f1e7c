// SPDX-License-Identifier: GPL-2.0-or-later
/* Keeps the guest from the host's own addresses: see filter.h. */
#include "umlcage/net/filter.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>

#include "umlcage/base/str.h"
#include "umlcage/net/addresses.h"

enum {
	ETH_LEN = 14, ETH_TYPE = 12,
	ETH_IPV4 = 0x0800, ETH_IPV6 = 0x86dd,
	IP4_LEN = 20, IP4_DST = 16, IP4_SRC = 12,
	IP6_LEN = 40, IP6_DST = 24, IP6_SRC = 8,
	ICMP_LEN = 8,
};

void net_filter_release(struct net_filter *f)
{
	free(f->v4);
	free(f->v6);
	*f = (struct net_filter){ 0 };
}

void net_filter_set_addresses(struct net_filter *f, const void *v4, size_t nv4, const void *v6,
			      size_t nv6)
{
	net_filter_release(f);
	f->v4 = xcalloc(nv4, sizeof(*f->v4));
	f->v6 = xcalloc(nv6, sizeof(*f->v6));
	f->nv4 = nv4;
	f->nv6 = nv6;
	if (nv4)
		memcpy(f->v4, v4, nv4 * sizeof(*f->v4));
	if (nv6)
		memcpy(f->v6, v6, nv6 * sizeof(*f->v6));
}

void net_filter_read_addresses(struct net_filter *f)
{
	struct ifaddrs *list;

	net_filter_release(f);
	if (getifaddrs(&list) < 0)
		return;
	for (struct ifaddrs *a = list; a; a = a->ifa_next) {
		if (!a->ifa_addr)
			continue;
		if (a->ifa_addr->sa_family == AF_INET) {
			struct sockaddr_in sin;

			memcpy(&sin, a->ifa_addr, sizeof(sin));
			f->v4 = xreallocarray(f->v4, f->nv4 + 1, sizeof(*f->v4));
			f->v4[f->nv4++] = sin.sin_addr;
		} else if (a->ifa_addr->sa_family == AF_INET6) {
			struct sockaddr_in6 sin6;

			memcpy(&sin6, a->ifa_addr, sizeof(sin6));
			f->v6 = xreallocarray(f->v6, f->nv6 + 1, sizeof(*f->v6));
			f->v6[f->nv6++] = sin6.sin6_addr;
		}
	}
	freeifaddrs(list);
}

static bool denied4(const struct net_filter *f, const uint8_t *dst)
{
	if (dst[0] == 127 || dst[0] == 0)
		return true;
	/* the virtual network is libslirp's own, whatever the host calls so */
	if (dst[0] == 10 && dst[1] == 0 && dst[2] == 2)
		return false;
	for (size_t i = 0; i < f->nv4; i++)
		if (memcmp(&f->v4[i], dst, 4) == 0)
			return true;
	return false;
}

static bool denied6(const struct net_filter *f, const uint8_t *dst)
{
	struct in6_addr a, net;

	memcpy(&a, dst, sizeof(a));
	if (IN6_IS_ADDR_LOOPBACK(&a) || IN6_IS_ADDR_UNSPECIFIED(&a) || IN6_IS_ADDR_V4MAPPED(&a) ||
	    IN6_IS_ADDR_V4COMPAT(&a))
		return true;
	if (inet_pton(AF_INET6, NET6_PREFIX, &net) == 1 && memcmp(&net, &a, 8) == 0)
		return false;
	for (size_t i = 0; i < f->nv6; i++)
		if (memcmp(&f->v6[i], &a, sizeof(a)) == 0)
			return true;
	return false;
}

static uint32_t sum16(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	if (len & 1)
		sum += (uint32_t)p[len - 1] << 8;
	return sum;
}

static void put_sum(uint8_t *at, uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum;
	at[0] = (uint8_t)(sum >> 8);
	at[1] = (uint8_t)sum;
}

/* Ethernet header of the answer: addresses swapped. */
static void reply_ethernet(uint8_t *out, const uint8_t *frame)
{
	memcpy(out, frame + 6, 6);
	memcpy(out + 6, frame, 6);
	memcpy(out + ETH_TYPE, frame + ETH_TYPE, 2);
}

static size_t reply4(uint8_t *out, const uint8_t *frame, size_t len)
{
	const uint8_t *ip = frame + ETH_LEN;
	size_t quoted = len - ETH_LEN;
	uint8_t *o = out + ETH_LEN, *icmp = o + IP4_LEN;

	if (quoted > 128)
		quoted = 128;

	size_t total = IP4_LEN + ICMP_LEN + quoted;

	reply_ethernet(out, frame);
	memset(o, 0, IP4_LEN + ICMP_LEN);
	o[0] = 0x45;
	o[2] = (uint8_t)(total >> 8);
	o[3] = (uint8_t)total;
	o[8] = 64;
	o[9] = IPPROTO_ICMP;
	/* as if the address itself had answered: the guest accepts it from anyone */
	inet_pton(AF_INET, NET_ROUTER, o + IP4_SRC);
	memcpy(o + IP4_DST, ip + IP4_SRC, 4);
	put_sum(o + 10, sum16(o, IP4_LEN, 0));
	icmp[0] = 3;	/* destination unreachable */
	icmp[1] = 13;	/* administratively prohibited */
	memcpy(icmp + ICMP_LEN, ip, quoted);
	put_sum(icmp + 2, sum16(icmp, ICMP_LEN + quoted, 0));
	return ETH_LEN + total;
}

static size_t reply6(uint8_t *out, const uint8_t *frame, size_t len)
{
	const uint8_t *ip = frame + ETH_LEN;
	size_t quoted = len - ETH_LEN;
	uint8_t *o = out + ETH_LEN, *icmp = o + IP6_LEN;

	if (quoted > 1024)
		quoted = 1024;

	size_t payload = ICMP_LEN + quoted;

	reply_ethernet(out, frame);
	memset(o, 0, IP6_LEN + ICMP_LEN);
	o[0] = 0x60;
	o[4] = (uint8_t)(payload >> 8);
	o[5] = (uint8_t)payload;
	o[6] = IPPROTO_ICMPV6;
	o[7] = 64;
	inet_pton(AF_INET6, NET6_ROUTER, o + IP6_SRC);
	memcpy(o + IP6_DST, ip + IP6_SRC, 16);
	icmp[0] = 1;	/* destination unreachable */
	icmp[1] = 1;	/* administratively prohibited */
	memcpy(icmp + ICMP_LEN, ip, quoted);

	/* pseudo-header (RFC 8200 8.1): both addresses, length, next header */
	uint32_t sum = sum16(o + IP6_SRC, 32, (uint32_t)payload + IPPROTO_ICMPV6);

	put_sum(icmp + 2, sum16(icmp, payload, sum));
	return ETH_LEN + IP6_LEN + payload;
}

size_t net_filter_refuse(const uint8_t *frame, size_t len, uint8_t reply[NET_FILTER_REPLY_MAX])
{
	struct in6_addr source;
	unsigned int type = len < ETH_LEN ? 0 : (unsigned int)frame[ETH_TYPE] << 8 | frame[ETH_TYPE + 1];

	if (type == ETH_IPV4 && len >= ETH_LEN + IP4_LEN)
		return reply4(reply, frame, len);
	if (type != ETH_IPV6 || len < ETH_LEN + IP6_LEN)
		return 0;
	/* a frame's addresses are not aligned */
	memcpy(&source, frame + ETH_LEN + IP6_SRC, sizeof(source));
	/* duplicate address detection names no source to answer to */
	return IN6_IS_ADDR_UNSPECIFIED(&source) ? 0 : reply6(reply, frame, len);
}

bool net_filter_is_fragment(const uint8_t *frame, size_t len)
{
	const uint8_t *ip = frame + ETH_LEN;

	/* "more fragments", or an offset; bit 0 is reserved, bit 1 "do not fragment" (RFC 791) */
	return len >= ETH_LEN + IP4_LEN && frame[ETH_TYPE] == ETH_IPV4 >> 8 &&
	       frame[ETH_TYPE + 1] == (ETH_IPV4 & 0xff) && ((ip[6] & 0x3f) || ip[7]);
}

bool net_filter_pass(const struct net_filter *f, const uint8_t *frame, size_t len,
		     uint8_t reply[NET_FILTER_REPLY_MAX], size_t *reply_len)
{
	unsigned int type;

	*reply_len = 0;
	if (len < ETH_LEN)
		return false;
	type = (unsigned int)frame[ETH_TYPE] << 8 | frame[ETH_TYPE + 1];
	if (type == ETH_IPV4) {
		if (len < ETH_LEN + IP4_LEN)
			return false;
		if (!denied4(f, frame + ETH_LEN + IP4_DST))
			return true;
		*reply_len = net_filter_refuse(frame, len, reply);
		return false;
	}
	if (type == ETH_IPV6) {
		if (len < ETH_LEN + IP6_LEN)
			return false;
		if (!denied6(f, frame + ETH_LEN + IP6_DST))
			return true;
		*reply_len = net_filter_refuse(frame, len, reply);
		return false;
	}
	return true;
}

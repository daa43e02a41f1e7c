// SPDX-License-Identifier: GPL-2.0-or-later
/* The connections of a cage, written down: see flows.h. */
#include "umlcage/net/flows.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "umlcage/base/str.h"

enum {
	ETH_LEN = 14, ETH_TYPE = 12, ETH_IPV4 = 0x0800, ETH_IPV6 = 0x86dd,
	IP4_LEN = 20, IP6_LEN = 40, UDP_LEN = 8, TCP_LEN = 20,
	TCP_FIN = 0x01, TCP_SYN = 0x02, TCP_RST = 0x04, TCP_ACK = 0x10,
	PROBES = 8,		/* places of the table that a flow may be in */
	IDLE_S = 120,		/* a flow without packets for so long is over */
};

static unsigned int get16(const uint8_t *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

static void read_transport(struct packet_info *p, const uint8_t *t, size_t len, bool from_guest)
{
	size_t header = p->protocol == IPPROTO_TCP ? TCP_LEN : UDP_LEN;
	uint16_t source, destination;

	if ((p->protocol != IPPROTO_TCP && p->protocol != IPPROTO_UDP) || len < UDP_LEN)
		return;
	source = (uint16_t)get16(t);
	destination = (uint16_t)get16(t + 2);
	p->guest_port = from_guest ? source : destination;
	p->remote_port = from_guest ? destination : source;
	if (p->protocol == IPPROTO_TCP && len >= TCP_LEN) {
		header = (size_t)(t[12] >> 4) * 4;
		p->begins = (t[13] & (TCP_SYN | TCP_ACK)) == TCP_SYN;
		p->ends = t[13] & (TCP_FIN | TCP_RST);
		p->broken = t[13] & TCP_RST;
	}
	p->payload = len > header ? len - header : 0;
	p->data = t + len - p->payload;
}

bool packet_read(struct packet_info *p, const uint8_t *frame, size_t len, bool from_guest)
{
	const uint8_t *ip = frame + ETH_LEN;
	unsigned int type;
	size_t header, total;

	memset(p, 0, sizeof(*p));
	if (len < ETH_LEN + IP4_LEN)
		return false;
	len -= ETH_LEN;
	type = get16(frame + ETH_TYPE);
	if (type == ETH_IPV4) {
		header = (size_t)(ip[0] & 0x0f) * 4;
		total = get16(ip + 2);
		p->family = AF_INET;
		p->protocol = ip[9];
		memcpy(p->remote, ip + (from_guest ? 16 : 12), 4);
		if (header < IP4_LEN || header > len)
			return true;
		/* ports are in the first fragment */
		if ((get16(ip + 6) & 0x1fff) == 0 && total >= header)
			read_transport(p, ip + header, (total < len ? total : len) - header, from_guest);
		return true;
	}
	if (type != ETH_IPV6 || len < IP6_LEN)
		return false;
	p->family = AF_INET6;
	p->protocol = ip[6];
	memcpy(p->remote, ip + (from_guest ? 24 : 8), 16);
	total = get16(ip + 4);
	read_transport(p, ip + IP6_LEN, total < len - IP6_LEN ? total : len - IP6_LEN, from_guest);
	return true;
}

static bool same(const struct packet_info *a, const struct packet_info *b)
{
	return a->family == b->family && a->protocol == b->protocol &&
	       a->remote_port == b->remote_port && a->guest_port == b->guest_port &&
	       memcmp(a->remote, b->remote, sizeof(a->remote)) == 0;
}

static size_t place(const struct packet_info *p)
{
	uint32_t h = 2166136261U ^ p->protocol;

	for (size_t i = 0; i < sizeof(p->remote); i++)
		h = (h ^ p->remote[i]) * 16777619U;
	h = (h ^ p->remote_port) * 16777619U;
	h = (h ^ p->guest_port) * 16777619U;
	return h % FLOWS_MAX;
}

static void write_down(struct flow *f, const struct net_policy *policy)
{
	const char *name = net_policy_name(policy, f->key.family, f->key.remote);
	const char *protocol = f->key.protocol == IPPROTO_TCP ? "tcp" :
			       f->key.protocol == IPPROTO_UDP ? "udp" :
			       f->key.protocol == IPPROTO_ICMP || f->key.protocol == IPPROTO_ICMPV6 ?
			       "icmp" : "other";
	cleanup_free char *when = utc_text(f->begun, UTC_RFC_3339);
	char address[INET6_ADDRSTRLEN] = "?", line[512];
	int n;

	inet_ntop(f->key.family, f->key.remote, address, sizeof(address));
	n = snprintf(line, sizeof(line), "%s %s %s %s %s %u %llu %llu\n", when,
		     f->allowed ? "allowed" : "refused", protocol, name ? name : "-", address,
		     f->key.remote_port, (unsigned long long)f->sent, (unsigned long long)f->received);
	/* one write() is one line, whoever else writes to the file */
	if (write(policy->log_fd, line, (size_t)n) < 0)
		return;
}

static void end(struct flow *f, const struct net_policy *policy)
{
	/* a refusal was written down at once */
	if (f->allowed)
		write_down(f, policy);
	f->used = false;
}

static struct flow *find(struct flows *f, const struct net_policy *policy,
			 const struct packet_info *p, time_t now)
{
	size_t start = place(p);
	struct flow *oldest = &f->v[start];

	for (size_t i = 0; i < PROBES; i++) {
		struct flow *at = &f->v[(start + i) % FLOWS_MAX];

		if (at->used && same(&at->key, p))
			return at;
	}
	for (size_t i = 0; i < PROBES; i++) {
		struct flow *at = &f->v[(start + i) % FLOWS_MAX];

		if (!at->used)
			return at;
		if (at->last + IDLE_S < now) {
			end(at, policy);
			return at;
		}
		if (at->last < oldest->last)
			oldest = at;
	}
	end(oldest, policy);
	return oldest;
}

void flows_count(struct flows *f, const struct net_policy *policy, const struct packet_info *p,
		 bool from_guest, bool allowed)
{
	time_t now = time(NULL);
	struct flow *flow;

	if (!f->v)
		f->v = xcalloc(FLOWS_MAX, sizeof(*f->v));
	flow = find(f, policy, p, now);
	if (!flow->used) {
		/* the guest's only; and the last word about what is over begins nothing */
		if (!from_guest || (p->protocol == IPPROTO_TCP && !p->begins))
			return;
		*flow = (struct flow){ .used = true, .allowed = allowed, .key = *p, .begun = now };
		if (!allowed)
			write_down(flow, policy);
	}
	flow->last = now;
	*(from_guest ? &flow->sent : &flow->received) += p->payload;
	*(from_guest ? &flow->guest_done : &flow->remote_done) |= p->ends;
	if (flow->allowed && (p->broken || (flow->guest_done && flow->remote_done)))
		end(flow, policy);
}

void flows_release(struct flows *f, const struct net_policy *policy)
{
	for (size_t i = 0; f->v && i < FLOWS_MAX; i++)
		if (f->v[i].used)
			end(&f->v[i], policy);
	free(f->v);
	f->v = NULL;
}

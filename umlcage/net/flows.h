/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connections of a cage, written down: one line each, when it ends, or at once when it is
 * refused:
 *
 *	2026-01-31T12:00:00Z allowed tcp mirror.example 151.101.2.132 80 512 10240
 *
 * time of the first packet, "allowed" or "refused", protocol, name it was asked for by ("-":
 * none), address, port, bytes sent, bytes received.
 */
#ifndef UMLCAGE_NET_FLOWS_H
#define UMLCAGE_NET_FLOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "umlcage/net/policy.h"

enum { FLOWS_MAX = 1024 };

/* What a frame is about, seen from the guest. */
struct packet_info {
	int family;		/* AF_INET, AF_INET6; 0: neither */
	uint8_t protocol;
	uint8_t remote[16];
	uint16_t remote_port, guest_port;	/* 0: none, or not in this fragment */
	const uint8_t *data;	/* of TCP or UDP; within the frame */
	size_t payload;		/* bytes of it */
	bool begins, ends, broken;	/* TCP: SYN without ACK; FIN or RST; RST */
};

struct flow {
	bool used, allowed;
	bool guest_done, remote_done;
	struct packet_info key;
	uint64_t sent, received;
	time_t begun, last;
};

struct flows {
	struct flow *v;		/* FLOWS_MAX of them */
};

/* Reads @frame; @from_guest says whose addresses are whose.  False: nothing to look at. */
bool packet_read(struct packet_info *p, const uint8_t *frame, size_t len, bool from_guest);

/* Counts a packet. */
void flows_count(struct flows *f, const struct net_policy *policy, const struct packet_info *p,
		 bool from_guest, bool allowed);
/* Writes down what is left. */
void flows_release(struct flows *f, const struct net_policy *policy);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of the network a cage may reach: rules of the user's, by address or by name.  A name
 * stands for the addresses that the cage's own DNS server answers with for it (RFC 1035),
 * as these pass by on their way to the guest.
 *
 * Decided in this order: denied; allowed; if anything is allowed, nothing else is; with
 * .public no private address.
 */
#ifndef UMLCAGE_NET_POLICY_H
#define UMLCAGE_NET_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "umlcage/base/error.h"

enum { NET_NAME_MAX = 256 };

struct net_rule {
	bool allow;
	int family;		/* AF_INET, AF_INET6; 0: a name */
	uint8_t address[16];
	unsigned int prefix;	/* bits of it */
	uint16_t port;		/* 0: any */
	char name[NET_NAME_MAX];	/* lower case; "*.example.org" for all below it */
};

struct net_learnt;

struct net_policy {
	struct net_rule *rules;
	size_t n;
	bool public;		/* private, link-local and other special addresses are shut */
	int log_fd;		/* every connection is written to it; -1: none */
	/* in the helper: addresses and the names they were asked for by */
	struct net_learnt *learnt;
	size_t nlearnt, next_learnt;
};

#define NET_POLICY_INIT { .log_fd = -1 }

/*
 * Adds "HOST", "ADDRESS" or "ADDRESS/BITS", with ":PORT" or without; an IPv6 address with a port
 * is in brackets.  Usage errors.
 */
int net_policy_add(struct net_policy *p, bool allow, const char *text, struct error *e);
void net_policy_release(struct net_policy *p);

/* Anything to decide or to write down? */
bool net_policy_any(const struct net_policy *p);
/* May @port (0: none, or unknown) of @address (4 or 16 bytes) be reached? */
bool net_policy_allows(const struct net_policy *p, int family, const uint8_t *address,
		       uint16_t port);
/* Looks at a DNS message for the guest. */
void net_policy_learn(struct net_policy *p, const uint8_t *dns, size_t len);
/* The name that @address was last asked for by; NULL: none. */
const char *net_policy_name(const struct net_policy *p, int family, const uint8_t *address);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The addresses of a cage's two networks, agreed between the supervisor (which
 * runs libslirp with them) and the agent (which configures the interfaces).
 */
#ifndef UMLCAGE_NET_ADDRESSES_H
#define UMLCAGE_NET_ADDRESSES_H

/*
 * Bytes of the largest packet of both.  What costs is the packet, on both sides of the link,
 * hence much more than Ethernet's 1500.  libslirp's windows, 128 KiB, hold few that are larger, and
 * it sends no short one while another is on the way: with 31000, uploads of a stream are faster by a
 * quarter, but debootstrap's downloads take 130 s instead of 15, and what goes both ways through the
 * control network takes turns with timeouts.
 */
#define NET_MTU		16000

/* vec0, the user's network; libslirp's customary numbers */
#define NET_PREFIX_LEN	24
#define NET_GUEST	"10.0.2.15"
#define NET_ROUTER	"10.0.2.2"
#define NET_DNS		"10.0.2.3"
#define NET_NETWORK	"10.0.2.0"
#define NET_MASK	"255.255.255.0"
/* a unique local prefix (RFC 4193): "umlcage" in hexadecimal */
#define NET6_PREFIX	"fd75:6d6c:6361:6765::"
#define NET6_PREFIX_LEN	64
#define NET6_GUEST	"fd75:6d6c:6361:6765::15"
#define NET6_ROUTER	"fd75:6d6c:6361:6765::2"
#define NET6_DNS	"fd75:6d6c:6361:6765::3"

/* vec1, control: reaches CONTROL_SERVER and nothing else */
#define CONTROL_NETWORK	"10.0.3.0"
#define CONTROL_MASK	"255.255.255.0"
#define CONTROL_GUEST	"10.0.3.15"
#define CONTROL_ROUTER	"10.0.3.2"
#define CONTROL_SERVER	"10.0.3.4"
#define CONTROL_PORT	1

#endif

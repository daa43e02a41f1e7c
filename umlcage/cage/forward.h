/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Published ports as users write them. */
#ifndef UMLCAGE_CAGE_FORWARD_H
#define UMLCAGE_CAGE_FORWARD_H

#include "umlcage/base/error.h"
#include "umlcage/cage/cage.h"

/*
 * "[ADDR:]HOSTPORT:GUESTPORT[/tcp|/udp]"; ADDR is an IPv4 address or an IPv6 one in
 * brackets, by default 127.0.0.1.  A usage error (-EINVAL) otherwise.
 */
int forward_parse(const char *text, struct cage_forward *f, struct error *e);

#endif

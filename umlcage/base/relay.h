/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pairs of stream sockets that are joined both ways, each until both sides have ended; half an
 * end is passed on as one.  Takes part in an event loop as a pollset does.
 */
#ifndef UMLCAGE_BASE_RELAY_H
#define UMLCAGE_BASE_RELAY_H

#include "umlcage/base/pollset.h"

enum { RELAYS_MAX = 64 };	/* at a time: each is four descriptors and two buffers */

struct relays {
	struct relay *first;
	unsigned int n;
};

/* Joins @a and @b, taking both in any case.  -EMFILE: there are RELAYS_MAX, or no descriptors. */
int relays_add(struct relays *r, int a, int b);
void relays_fill(struct relays *r, struct pollset *ps);
void relays_dispatch(struct relays *r, const struct pollset *ps);
/* Ends all. */
void relays_close(struct relays *r);

#endif

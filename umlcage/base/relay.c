// SPDX-License-Identifier: GPL-2.0-or-later
/* Pairs of sockets joined both ways: see relay.h. */
#include "umlcage/base/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/pump.h"
#include "umlcage/base/str.h"

struct relay {
	struct relay *next;
	struct pump there, back;
};

int relays_add(struct relays *r, int a, int b)
{
	cleanup_close int from = a, to = b;
	cleanup_close int from_too = fcntl(a, F_DUPFD_CLOEXEC, 3), to_too = fcntl(b, F_DUPFD_CLOEXEC, 3);
	struct relay *x;

	if (r->n >= RELAYS_MAX || from_too < 0 || to_too < 0)
		return -EMFILE;
	x = xcalloc(1, sizeof(*x));
	pump_open(&x->there, steal_fd(&from), steal_fd(&to), true);
	pump_open(&x->back, steal_fd(&to_too), steal_fd(&from_too), true);
	x->there.both_ways = x->back.both_ways = true;
	x->next = r->first;
	r->first = x;
	r->n++;
	return 0;
}

void relays_fill(struct relays *r, struct pollset *ps)
{
	for (struct relay *x = r->first; x; x = x->next) {
		pump_fill(&x->there, ps);
		pump_fill(&x->back, ps);
	}
}

static void drop(struct relays *r, struct relay **at)
{
	struct relay *x = *at;

	pump_close(&x->there);
	pump_close(&x->back);
	*at = x->next;
	free(x);
	r->n--;
}

void relays_dispatch(struct relays *r, const struct pollset *ps)
{
	for (struct relay **at = &r->first; *at;) {
		pump_dispatch(&(*at)->there, ps);
		pump_dispatch(&(*at)->back, ps);
		if (pump_done(&(*at)->there) && pump_done(&(*at)->back))
			drop(r, at);
		else
			at = &(*at)->next;
	}
}

void relays_close(struct relays *r)
{
	while (r->first)
		drop(r, &r->first);
}

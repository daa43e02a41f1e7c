// SPDX-License-Identifier: GPL-2.0-or-later
/* One turn of an event loop: see pollset.h. */
#include "umlcage/base/pollset.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>

#include "umlcage/base/progress.h"
#include "umlcage/base/str.h"

/* What it takes to be woken, which a sleep is too long by. */
enum { WAKING_NS = 50000 };

void pollset_reset(struct pollset *ps)
{
	ps->n = 0;
	ps->deadline_ms = INT64_MAX;
}

int pollset_add(struct pollset *ps, int fd, short events)
{
	/* poll() refuses a list that is longer than what may be open, whatever is in it */
	if (fd < 0)
		return -1;
	if (ps->n == ps->cap) {
		ps->cap = ps->cap ? ps->cap * 2 : 32;
		ps->fds = xreallocarray(ps->fds, ps->cap, sizeof(*ps->fds));
	}
	ps->fds[ps->n] = (struct pollfd){ .fd = fd, .events = events };
	return (int)ps->n++;
}

void pollset_until(struct pollset *ps, int64_t deadline_ms)
{
	if (deadline_ms < ps->deadline_ms)
		ps->deadline_ms = deadline_ms;
}

/* How many are ready, or -errno. */
static int look(struct pollset *ps, int timeout)
{
	int n = poll(ps->fds, ps->n, timeout);

	if (n >= 0)
		return n;

	int errnum = errno;

	for (size_t i = 0; i < ps->n; i++)
		ps->fds[i].revents = 0;
	return -errnum;
}

int pollset_wait(struct pollset *ps)
{
	int timeout = -1, ret;

	if (ps->deadline_ms != INT64_MAX) {
		int64_t left = ps->deadline_ms - clock_ms();

		timeout = left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
	}
	ret = look(ps, timeout);
	return ret < 0 ? ret : 0;
}

int pollset_wait_awake(struct pollset *ps, int64_t look_ns)
{
	int64_t until = clock_ns() + look_ns;
	int ret;

	while (ps->awake) {
		ret = look(ps, 0);
		if (ret)
			return ret < 0 ? ret : 0;
		ps->awake = clock_ns() < until;
		/* whoever waits for this processor may be whom this waits for */
		(void)sched_yield();
	}
	ret = pollset_wait(ps);
	ps->awake = clock_ns() < until + WAKING_NS;
	return ret;
}

short pollset_revents(const struct pollset *ps, int index)
{
	return index >= 0 && (size_t)index < ps->n ? ps->fds[index].revents : 0;
}

void pollset_release(struct pollset *ps)
{
	free(ps->fds);
	*ps = (struct pollset)POLLSET_INIT;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list of descriptors of one turn of an event loop.  Whoever takes part adds
 * what it waits for, anew each turn, and looks at the answer afterwards by the
 * index it got; nothing is kept between turns, so a descriptor number that came
 * back as something else cannot be mistaken.
 */
#ifndef UMLCAGE_BASE_POLLSET_H
#define UMLCAGE_BASE_POLLSET_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pollset {
	struct pollfd *fds;
	size_t n, cap;
	int64_t deadline_ms;	/* of clock_ms(); INT64_MAX: none */
	bool awake;		/* the last sleep was too short to be worth it */
};

#define POLLSET_INIT { .deadline_ms = INT64_MAX }

void pollset_reset(struct pollset *ps);
/* Returns the index; -1, never ready, for @fd < 0. */
int pollset_add(struct pollset *ps, int fd, short events);
/* Wake up no later than @deadline_ms. */
void pollset_until(struct pollset *ps, int64_t deadline_ms);
/* Waits; 0, or -errno (-EINTR for a signal).  revents are all 0 on failure. */
int pollset_wait(struct pollset *ps);
/*
 * The same for what is in a conversation.  To be woken takes tens of microseconds, so while answers
 * come sooner than @look_ns nanoseconds after the last look, it looks for that long before it sleeps.
 */
int pollset_wait_awake(struct pollset *ps, int64_t look_ns);
short pollset_revents(const struct pollset *ps, int index);
void pollset_release(struct pollset *ps);

#endif

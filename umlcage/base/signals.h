/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signals as input of an event loop, see signalfd(2).  What to do about one is its
 * owner's to decide.  The mask is the process's: one set at a time, one thread.
 */
#ifndef UMLCAGE_BASE_SIGNALS_H
#define UMLCAGE_BASE_SIGNALS_H

#include <signal.h>
#include <stddef.h>

#include "umlcage/base/pollset.h"

struct signals {
	int fd, index;
	sigset_t old;		/* the mask before; also what a child should start with */
};

#define SIGNALS_CLOSED { .fd = -1, .index = -1 }

/*
 * Takes the @n signals @which from now on, but for those that are ignored: an inherited
 * "ignore" stays one.  (SIGWINCH and SIGCONT, which nobody sees by default, are taken all the
 * same.)  0 or -errno.
 */
int signals_open(struct signals *s, const int *which, size_t n);
void signals_fill(struct signals *s, struct pollset *ps);
/* The next one that came, by number; 0: none. */
int signals_next(struct signals *s);
/* Restores the mask; closed already is fine. */
void signals_close(struct signals *s);

#endif

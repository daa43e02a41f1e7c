/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long a process is waited for that says nothing.
 *
 * One that works may get little of a busy machine, or wait for a slow disk; that is not held
 * against it.  What counts is the time in which it sleeps, and the time that it computes.  While
 * who waits is stopped (^Z) nothing is counted.
 */
#ifndef UMLCAGE_BASE_PATIENCE_H
#define UMLCAGE_BASE_PATIENCE_H

#include <sys/types.h>

/* Seconds.  Begins as zeros, and again so with each answer. */
struct patience {
	double last;		/* when it was looked at */
	double slept;		/* since the first look */
	double before;		/* what it had computed then */
};

enum patience_end { PATIENCE_LEFT, PATIENCE_SLEPT, PATIENCE_COMPUTED };

/*
 * To be called some times a second while @pid, a child, is waited for.  Has it slept for @seconds
 * since the first call, or computed?  0: never.
 */
enum patience_end patience_look(struct patience *p, pid_t pid, unsigned int seconds);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Placement: every guest system call is a hand-over between two host tasks, ten
 * times cheaper on one CPU than across two.  So a cage with one virtual CPU is
 * kept on one host CPU: the least busy one it may use.
 */
#ifndef UMLCAGE_CAGE_PLACE_H
#define UMLCAGE_CAGE_PLACE_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct place {
	cpu_set_t allowed;	/* what the supervisor inherited */
	int cpu;		/* where the cage is; -1: not kept anywhere */
	pid_t pid;		/* the kernel */
	int64_t checked_ms;
	uint64_t waited_ns;	/* run-queue wait of the kernel's task when last checked */
	uint64_t ran_ns;
};

/* Picks the CPU with the fewest runnable tasks of those this process may use. */
void place_init(struct place *p, unsigned int vcpus);
/*
 * The CPUs it may use, as a list ("0-3,8"), to be freed; NULL: only one, or not known.  Nor is there
 * one where others have the second: peers_number() cages share them, each with one of its own at most.
 */
char *place_list(const struct place *p);
/* How many cages run side by side as far as who started this process knows, at least 1: peers.c. */
unsigned int peers_number(void);
/* In the child before exec: async-signal-safe.  0 or -errno. */
int place_apply(const struct place *p);
/*
 * Now and then: if the cage spends much of its time waiting for its CPU and
 * another one is less busy, everything of it moves there.  Returns when to call
 * again, in milliseconds of clock_ms().
 */
int64_t place_check(struct place *p, int64_t now_ms);

/* Has every task of the process group @group stopped, as SIGSTOP has it? */
bool place_stopped(pid_t group);

#endif

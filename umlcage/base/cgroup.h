/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the control groups that this process is in allow it, of either version: cgroups(7),
 * Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/{memory,pids}.rst.  The limit that
 * counts is the least of the group's own and of all groups above it that can be seen.
 */
#ifndef UMLCAGE_BASE_CGROUP_H
#define UMLCAGE_BASE_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

enum cgroup_kind { CGROUP_MEMORY, CGROUP_PIDS, CGROUP_KINDS };

#define CGROUP_NO_LIMIT UINT64_MAX

struct cgroup {
	struct cgroup_limit {
		uint64_t limit;		/* bytes, processes; or CGROUP_NO_LIMIT */
		char *file;		/* that says so; NULL if none does */
		/* how often it was met: processes killed for want of memory, or not started */
		uint64_t events;
	} v[CGROUP_KINDS];
};

#define CGROUP_INIT { { { CGROUP_NO_LIMIT, NULL, 0 }, { CGROUP_NO_LIMIT, NULL, 0 } } }

/*
 * Reads the limits and counts of this process's groups; @root is where /proc and the
 * hierarchies are ("" but for tests).  What is not there is no limit.
 */
void cgroup_read(struct cgroup *c, const char *root);
void cgroup_release(struct cgroup *c);
/*
 * What of it was met since @before, in words with the limit and the file to raise it in:
 * "the limit of memory of its control group (512 MB, '/sys/fs/...') was reached".
 * malloc'ed; NULL if nothing was.
 */
char *cgroup_met(const struct cgroup *before, const char *root);

#endif

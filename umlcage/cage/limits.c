// SPDX-License-Identifier: GPL-2.0-or-later
/* Limits of the host that a cage cannot start under, told before it is tried; getrlimit(2). */
#include <errno.h>
#include <sys/resource.h>

#include "umlcage/cage/internal.h"

/*
 * Beside the guest's memory: the kernel's process itself and its libraries.  A heap that the
 * host puts anywhere, up to 1 GB away, counts as memory, too: cage_explain() names that case.
 */
enum { BESIDE = 64 << 20 };

static int check(int which, const char *name, const char *what, uint64_t needed, struct error *e)
{
	struct rlimit limit;

	if (getrlimit(which, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY ||
	    limit.rlim_cur >= needed)
		return 0;

	cleanup_free char *has = format_size(limit.rlim_cur), *wants = format_size(needed);

	return err_set(e, ENOMEM, "cannot start a cage: %s limited to %s (ulimit %s), and %s is "
		       "needed; raise that, or give the cage less with --memory", what, has, name, wants);
}

int limits_check(const struct cage_config *cfg, struct error *e)
{
	/* the guest's memory is a file in memory */
	int ret = check(RLIMIT_FSIZE, "-f", "the size of files is",
			cfg->memory + BESIDE, e);

	return ret < 0 ? ret : check(RLIMIT_AS, "-v", "the memory of processes is",
				     cfg->memory + BESIDE, e);
}

uint64_t limits_file_size(const struct cage_config *cfg)
{
	/* where a container does not let the heap have its place, it is up to 1 GB away */
	uint64_t memory = cfg->memory + BESIDE + (1ULL << 30);

	return cfg->disk > memory ? cfg->disk : memory;
}

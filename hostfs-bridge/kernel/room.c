// SPDX-License-Identifier: GPL-2.0-only
/*
 * humfs: how much may be added to the host's files.
 *
 * What counts is the sum of the sizes of all files on all shares, with a page
 * for each of them, as it grew since the kernel started: what is written
 * takes room, what is removed or cut gives it back, also what was there
 * before.  Sizes instead of blocks, as only these are known without asking
 * the host.
 */
#include <linux/init.h>
#include <linux/kernel.h>
#include "humfs_kern.h"

static s64 limit = -1;	/* -1: none */
static atomic64_t taken;

/* humfs_room=BYTES */
static int __init parse_room(char *arg)
{
	u64 bytes;

	if (kstrtou64(arg, 10, &bytes) || bytes > S64_MAX)
		pr_err("humfs: \"%s\" is not a number of bytes\n", arg);
	else
		limit = bytes;
	return 1;
}
__setup("humfs_room=", parse_room);

bool humfs_room_is_limited(void)
{
	return limit >= 0;
}

u64 humfs_room_left(void)
{
	return max(limit - atomic64_read(&taken), 0LL);
}

u64 humfs_room_limit(void)
{
	return max_t(u64, limit, humfs_room_left());
}

u64 humfs_take_room(u64 want)
{
	s64 now = atomic64_read(&taken);
	u64 some;

	if (limit < 0)
		return want;
	do {
		some = min_t(u64, want, max(limit - now, 0LL));
	} while (some && !atomic64_try_cmpxchg(&taken, &now, now + some));
	return some;
}

int humfs_take_all_room(u64 want)
{
	u64 some = humfs_take_room(want);

	if (some == want)
		return 0;
	humfs_give_room(some);
	return -ENOSPC;
}

void humfs_give_room(u64 bytes)
{
	if (limit >= 0)
		atomic64_sub(bytes, &taken);
}

void humfs_room_of_size(loff_t promised, loff_t size)
{
	if (promised > size)
		humfs_give_room(promised - size);
}

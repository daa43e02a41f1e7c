// SPDX-License-Identifier: GPL-2.0-or-later
/* Waiting for a process: see patience.h. */
#include "umlcage/base/patience.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/str.h"

/* Seconds between two looks that count, and how many a pause between them counts for. */
static const double often = 0.1, at_most = 0.4;

static double seconds_of(clockid_t clock)
{
	struct timespec t = { 0 };

	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double computed(pid_t pid)
{
	clockid_t clock;

	return clock_getcpuclockid(pid, &clock) == 0 ? seconds_of(clock) : 0;
}

/*
 * Neither at work nor willing to be, nor waiting for a disk.  Where /proc is closed it looks like
 * that, too: then what counts is how long it has been waited for.
 */
static bool sleeps(pid_t pid)
{
	cleanup_free char *path = xasprintf("/proc/%d/stat", (int)pid);
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	const char *end;

	/* "12 (name) S 11 ...", where the name may have any byte */
	if (file_read(AT_FDCWD, path, 4096, &text, NULL) < 0 || !(end = strrchr(text.s, ')')) ||
	    end[1] != ' ' || !end[2])
		return true;
	return !strchr("RD", end[2]);
}

enum patience_end patience_look(struct patience *p, pid_t pid, unsigned int seconds)
{
	double now = seconds_of(CLOCK_MONOTONIC), passed = now - p->last;

	if (!p->last) {
		p->last = now;
		p->before = computed(pid);
		return PATIENCE_LEFT;
	}
	if (!seconds || passed < often)
		return PATIENCE_LEFT;
	p->last = now;
	if (sleeps(pid))
		p->slept += passed < at_most ? passed : at_most;
	if (p->slept > seconds)
		return PATIENCE_SLEPT;
	return computed(pid) - p->before > seconds ? PATIENCE_COMPUTED : PATIENCE_LEFT;
}

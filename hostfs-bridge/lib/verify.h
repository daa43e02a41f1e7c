/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is a share as shares are?  Finds what is not, says why it matters, and mends it. */
#ifndef UMLCAGE_SHARE_VERIFY_H
#define UMLCAGE_SHARE_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "umlcage/base/error.h"

struct share_problem {
	const char *path;	/* "." for the root */
	const char *what;	/* "a set-user-id bit on the host" */
	const char *remedy;	/* what repairing does or did; NULL: only the user can mend it */
	bool repaired;
};

struct share_report {
	uint64_t entries;	/* looked at */
	uint64_t problems;
	uint64_t repaired;
	bool dirty;		/* was marked as being written to by a cage that was killed */
};

/*
 * Checks the share at @path, all of it, calling @fn for each problem; with @repair it
 * mends what it can.  0 also if there are problems: see the report.  -EBUSY while a cage
 * uses the share; -EINVAL for a directory that is no share, unless @adopt makes its top
 * one (the record of the root lost).
 */
int share_verify(const char *path, bool repair, bool adopt,
		 void (*fn)(const struct share_problem *p, void *arg), void *arg,
		 struct share_report *report, struct error *e);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which version of Linux is built, of those that there are: one that the patches were
 * tested with, unless another is asked for.
 */
#ifndef KERNEL_CONFIG_CHOOSE_H
#define KERNEL_CONFIG_CHOOSE_H

#include <stdbool.h>

enum kernel_fit { KERNEL_TOO_OLD = -1, KERNEL_TESTED = 0, KERNEL_UNTESTED = 1 };

/*
 * How the patches stand to @version, "7.3.4" or a package's "7.3.4-1~bpo13+1": the first two
 * numbers count, since what comes after them are fixes.
 */
enum kernel_fit kernel_fit(const char *version);

/* Whether @name is two numbers, "7.2". */
bool is_linux_series(const char *name);

struct choice {
	const char *series;	/* of these two numbers and no other; NULL: any */
	bool newer;		/* also one that is newer than what was tested */
	char *best;		/* the version to take so far, malloc'ed; NULL: none fits */
	char *newest;		/* the highest of all that were shown, likewise */
};

#define CHOICE_INIT { NULL, false, NULL, NULL }

/* Shows @version to @c; true if it is the one to take now. */
bool choose(struct choice *c, const char *version);
void choice_release(struct choice *c);
#define cleanup_choice __attribute__((cleanup(choice_release)))

#endif

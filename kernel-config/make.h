/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Running make and patch in a source tree, with a log, a progress line, and an end
 * on a signal.
 */
#ifndef KERNEL_CONFIG_MAKE_H
#define KERNEL_CONFIG_MAKE_H

#include <stdint.h>

#include "umlcage/base/error.h"
#include "umlcage/base/progress.h"
#include "umlcage/base/str.h"

struct make {
	const char *dir;		/* the top of the tree, absolute */
	const struct strv *env;
	int log;			/* all output goes here */
	int lock;			/* inherited: held until the last process is gone */
	struct progress *progress;	/* NULL: silent */
	uint64_t expected;		/* compilations; 0: not counted */
	uint64_t units;			/* out: compilations seen */
	struct strbuf complaint;	/* out: the first lines that say what failed */
};

/*
 * Runs @argv in the tree with @input (-1: /dev/null).  0, -EINTR once interrupted()
 * (everything it started is gone then), -ENOSPC if the disk filled up, or -ENOEXEC
 * with the first complaint of the output.
 */
int make_run(struct make *m, char *const *argv, int input, struct error *e);
/* Whether @line of kbuild's output announces the compilation of a file of the kernel;
 * *@what then is the file. */
bool make_is_unit(const char *line, const char **what);
/* Whether @line says why a build failed. */
bool make_is_complaint(const char *line);
void make_release(struct make *m);
#define cleanup_make __attribute__((cleanup(make_release)))

#endif

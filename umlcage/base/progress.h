/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a person sees while something runs: one line that moves on a terminal,
 * plain lines elsewhere.  Libraries take a `struct progress *` (NULL: silent)
 * and are the only ones that may show something through it.
 */
#ifndef UMLCAGE_BASE_PROGRESS_H
#define UMLCAGE_BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	int fd;			/* where to, usually 2 */
	bool tty;
	int verbosity;		/* -1 quiet, 0 normal, 1 verbose, 2 debug */
	char *stage;		/* what runs now; NULL: nothing */
	uint64_t done, total;	/* of the stage; total 0: unknown */
	int64_t started_ms;	/* monotonic */
	int64_t shown_ms;	/* when the line was last drawn or printed */
	unsigned int columns;	/* how much of the line is drawn */
};

void progress_init(struct progress *p, int fd, int verbosity);
/* Begins a stage ("downloading"), ending the one before. */
void progress_stage(struct progress *p, const char *stage, uint64_t total);
/* How far; redraws at most ten times a second.  @detail may be NULL. */
void progress_step(struct progress *p, uint64_t done, uint64_t total, const char *detail);
/* A lasting line, shown unless quiet. */
void progress_note(struct progress *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* "warning: ..." also when quiet. */
void progress_warn(struct progress *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* A lasting line, also when quiet: what an error is about. */
void progress_show(struct progress *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* A lasting line for --verbose. */
void progress_detail(struct progress *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Removes the moving line, ends the stage. */
void progress_end(struct progress *p);

/* Milliseconds and nanoseconds of the monotonic clock. */
int64_t clock_ms(void);
int64_t clock_ns(void);

#endif

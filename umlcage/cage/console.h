/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's console: kept (its newest part), copied where the user wants it,
 * and read for what went wrong.
 */
#ifndef UMLCAGE_CAGE_CONSOLE_H
#define UMLCAGE_CAGE_CONSOLE_H

#include "umlcage/base/str.h"

enum { CONSOLE_KEEP = 64 << 10 };

struct console {
	int fd;			/* read end, non-blocking; -1 when closed */
	int copy_fd;		/* -1: none; the caller's, unless... */
	bool own_copy;		/* ...console_release() shall close it */
	struct strbuf text;
};

/* Reads what there is; closes fd at its end. */
void console_read(struct console *c);
void console_release(struct console *c);

/*
 * What the console says went wrong, as one line ("kernel panic: ..."), malloc'ed;
 * NULL if it shows nothing of the kind.
 */
char *console_diagnose(const char *text);
/* The last @lines lines, indented by two blanks, malloc'ed ("" when empty). */
char *console_tail(const char *text, unsigned int lines);

#endif

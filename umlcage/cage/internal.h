/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this module share about a running cage. */
#ifndef UMLCAGE_CAGE_INTERNAL_H
#define UMLCAGE_CAGE_INTERNAL_H

#include <stdbool.h>
#include <sys/types.h>

#include "umlcage/base/pollset.h"
#include "umlcage/cage/cage.h"
#include "umlcage/cage/console.h"
#include "umlcage/cage/control.h"
#include "umlcage/cage/place.h"
#include "umlcage/net/net.h"

struct cage {
	pid_t pid;		/* the kernel, leader of the cage's process group; 0: reaped */
	int pidfd, pidfd_index;
	int status;		/* of waitpid() once reaped */
	bool persistent;	/* something of it outlives it: it must be stopped cleanly */
	bool up;		/* the agent has set everything up */
	bool stopping;
	bool full_wall;		/* its kernel has namespaces of its own */
	char *what;		/* "cannot boot the kernel '...'", for errors until it is up */
	struct console console;
	int console_index;
	struct control control;
	struct net *control_net, *user_net;
	struct place place;
	struct pollset ps;
	struct progress *progress;
	uint32_t last_exec;
};

/* Who else takes part in a turn of the loop. */
struct turn {
	void (*fill)(struct pollset *ps, void *arg);
	void (*dispatch)(const struct pollset *ps, void *arg);
	void *arg;
	int64_t deadline_ms;	/* INT64_MAX: none */
};

/*
 * One turn of the event loop: waits until something happens, and deals with it.
 * 0, or -errno and @e when the cage is lost (its kernel ended, its agent is gone).
 */
int cage_turn(struct cage *c, const struct turn *t, struct error *e);

/* Says why the kernel ended or cannot go on, with the end of its console. */
int cage_explain(struct cage *c, struct error *e, const char *what);

/* ---- terminal.c ---- */

struct terminal;

/* Puts the terminal @fd into raw mode; NULL if it is none. */
struct terminal *terminal_raw(int fd);
/* As it was; NULL is fine. */
void terminal_restore(struct terminal *t);
bool terminal_size(int fd, unsigned int *rows, unsigned int *cols);

#endif

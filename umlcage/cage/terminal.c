// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The user's terminal while a guest terminal is shown on it.  Who sets or reads a terminal
 * from the background is stopped, so it is left alone there; see termios(3), job control.
 */
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/progress.h"
#include "umlcage/cage/terminal.h"

enum { FOLLOW_MS = 250 };

struct terminal {
	int fd;
	bool raw;		/* it is, by us */
	bool known;		/* saved is what it was */
	struct termios saved;
};

struct terminal *terminal_open(int fd)
{
	struct terminal *t;

	if (!isatty(fd))
		return NULL;
	t = xmalloc(sizeof(*t));
	*t = (struct terminal){ .fd = fd };
	return t;
}

static void make_raw(struct terminal *t)
{
	struct termios raw;

	/* what it was at first counts: a shell may give us back what we had made of it */
	if (!t->known)
		t->known = tcgetattr(t->fd, &t->saved) == 0;
	if (!t->known)
		return;
	raw = t->saved;
	cfmakeraw(&raw);
	t->raw = tcsetattr(t->fd, TCSADRAIN, &raw) == 0;
}

int64_t terminal_follow(struct terminal *t)
{
	/* a shell that put us into the background has set what it wants itself */
	if (in_background(t->fd))
		t->raw = false;
	else if (!t->raw)
		make_raw(t);
	/* nobody says when a job becomes the foreground's */
	return t->raw ? INT64_MAX : clock_ms() + FOLLOW_MS;
}

void terminal_close(struct terminal *t)
{
	if (!t)
		return;
	if (t->raw && !in_background(t->fd))
		(void)tcsetattr(t->fd, TCSADRAIN, &t->saved);
	free(t);
}

bool terminal_size(int fd, unsigned int *rows, unsigned int *cols)
{
	struct winsize ws;

	if (ioctl(fd, TIOCGWINSZ, &ws) < 0 || !ws.ws_row || !ws.ws_col)
		return false;
	*rows = ws.ws_row;
	*cols = ws.ws_col;
	return true;
}

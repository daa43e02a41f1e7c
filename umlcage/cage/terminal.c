// SPDX-License-Identifier: GPL-2.0-or-later
/* The user's terminal while a guest terminal is shown on it. */
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/cage/internal.h"

struct terminal {
	int fd;
	struct termios saved;
};

struct terminal *terminal_raw(int fd)
{
	struct terminal *t;
	struct termios raw;

	if (!isatty(fd) || tcgetattr(fd, &raw) < 0)
		return NULL;
	t = xmalloc(sizeof(*t));
	t->fd = fd;
	t->saved = raw;
	cfmakeraw(&raw);
	if (tcsetattr(fd, TCSADRAIN, &raw) < 0)
		free_ptr(&t);
	return t;
}

void terminal_restore(struct terminal *t)
{
	if (!t)
		return;
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

// SPDX-License-Identifier: GPL-2.0-or-later
/* Signals as input of an event loop: see signals.h. */
#include "umlcage/base/signals.h"

#include <errno.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "umlcage/base/fd.h"

int signals_open(struct signals *s, const int *which, size_t n)
{
	struct sigaction now;
	sigset_t set;

	*s = (struct signals)SIGNALS_CLOSED;
	sigemptyset(&set);
	for (size_t i = 0; i < n; i++)
		if (which[i] == SIGWINCH || which[i] == SIGCONT ||
		    (sigaction(which[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN))
			sigaddset(&set, which[i]);
	s->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->fd < 0)
		return -errno;
	sigprocmask(SIG_BLOCK, &set, &s->old);
	return 0;
}

void signals_fill(struct signals *s, struct pollset *ps)
{
	s->index = pollset_add(ps, s->fd, POLLIN);
}

int signals_next(struct signals *s)
{
	struct signalfd_siginfo si;

	if (s->fd < 0 || read(s->fd, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return 0;
	return (int)si.ssi_signo;
}

void signals_close(struct signals *s)
{
	if (s->fd < 0)
		return;
	close_fd(&s->fd);
	sigprocmask(SIG_SETMASK, &s->old, NULL);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A command on a terminal that goes on without one, and gets another one later.  Its own terminal
 * is the guest's and stays; what it says there meanwhile is kept, the end of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/cage/internal.h"

/* What is typed goes on to the command, but for the keys that leave it. */
static size_t take_keys(char *data, size_t len, void *arg)
{
	struct cage_command *x = arg;
	bool hit;
	size_t n = keys_filter(&x->keys, data, len, &hit);

	if (hit) {
		x->leave = true;
		x->in.pump.held = true;
	}
	return n;
}

void detach_watch(struct cage_command *x)
{
	if (!x->keys.n)
		return;
	x->in.pump.filter = take_keys;
	x->in.pump.filter_arg = x;
}

/* More than a screen is of no use, and what does not fit the pump could not be given back. */
static void keep(const char *data, size_t len, void *arg)
{
	struct cage_command *x = arg;
	struct strbuf *kept = &x->kept;

	/* with what the kernel says, as it would be without a console of its own */
	if (x->console && x->cage && x->cage->console.copy_fd >= 0)
		(void)write_full(x->cage->console.copy_fd, data, len);
	if (len > PUMP_BUFFER) {
		data += len - PUMP_BUFFER;
		len = PUMP_BUFFER;
	}
	if (kept->len + len > PUMP_BUFFER) {
		size_t gone = kept->len + len - PUMP_BUFFER;

		memmove(kept->s, kept->s + gone, kept->len - gone);
		kept->len -= gone;
	}
	sb_add(kept, data, len);
}

void detach_open(struct cage_command *x, struct command_stream *s, int fd)
{
	if (s == &x->in) {
		pump_open_shared(&s->pump, -1, fd, true, false);
		pump_park(&s->pump);
	} else {
		pump_open_sink(&s->pump, fd, keep, x);
	}
	s->pump.stays = x->console;
	s->open = true;
}

void detach_lost(struct cage_command *x)
{
	if (x->console && !x->detached && (x->in.pump.parked || x->out.pump.to < 0))
		x->leave = true;
}

bool cage_command_detach(struct cage_command *x)
{
	x->leave = false;
	if (x->detached)
		return true;
	x->in.pump.held = x->hold;
	/* what has not got its streams yet, or has lost one, cannot be left */
	if ((x->terminal < 0 && !x->console) || !x->in.open || !x->out.open || !x->out.pump.buf)
		return false;
	pump_park(&x->in.pump);
	pump_divert(&x->out.pump, keep, x);
	close_fd(&x->terminal);
	x->detached = true;
	return true;
}

bool cage_command_exited(const struct cage_command *x)
{
	return x->exited;
}

int cage_command_attach(struct cage_command *x, int in, int out, const char *keys, struct error *e)
{
	bool shared = false, unused = false;
	int to = out < 0 ? -1 : pump_own(out, true, &shared);
	int from = in < 0 || x->exited || !x->in.pump.buf ? -1 : pump_own(in, false, &unused);

	if (to < 0) {
		close_fd(&from);
		return err_set(e, EBADF, "there is no output to attach to");
	}
	x->detached = false;
	keys_set(&x->keys, keys ? keys : "");
	x->in.pump.filter = NULL;
	detach_watch(x);
	x->in.pump.held = x->hold = false;
	if (from >= 0) {
		pump_unpark(&x->in.pump, from);
		x->in.pump.job_control = isatty(from);
	}
	pump_redirect(&x->out.pump, to, shared, sb_str(&x->kept), x->kept.len);
	x->kept.len = 0;
	x->terminal = in >= 0 && isatty(in) ? fcntl(in, F_DUPFD_CLOEXEC, 3) : -1;
	/* who fills a screen draws it anew, also if its size is what it was */
	cage_command_resized(x);
	cage_command_signal(x, SIGWINCH);
	return 0;
}

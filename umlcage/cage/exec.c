// SPDX-License-Identifier: GPL-2.0-or-later
/* One command to its end, in the foreground: this process's signals and terminal are its. */
#include <errno.h>
#include <signal.h>

#include "umlcage/base/interrupt.h"
#include "umlcage/base/parent.h"
#include "umlcage/base/signals.h"
#include "umlcage/cage/internal.h"

enum { INTERRUPTS_MAX = 3 };

struct foreground {
	struct cage_command *command;
	struct signals signals;
	struct terminal *terminal;	/* NULL: it has none, or not one of ours */
	unsigned int interrupts;	/* SIGINT and SIGTERM so far */
	bool end_on_signal;
};

static void fill(struct pollset *ps, void *arg)
{
	struct foreground *f = arg;

	signals_fill(&f->signals, ps);
	if (f->terminal)
		pollset_until(ps, terminal_follow(f->terminal));
}

static bool ends_programs(int sig)
{
	return sig == SIGINT || sig == SIGTERM || sig == SIGHUP || sig == SIGQUIT;
}

static int take_signal(struct foreground *f, int sig, struct error *e)
{
	if (sig == SIGCONT) {
		/* the terminal is looked at before each turn */
		return 0;
	}
	if (sig == SIGWINCH) {
		cage_command_resized(f->command);
		return 0;
	}
	if (f->end_on_signal && ends_programs(sig)) {
		interrupt_note(sig);
		return err_set(e, EINTR, "interrupted");
	}
	if (sig == SIGTERM && parent_gone()) {
		/* asked first, like one whose time is over; nobody is left to send another one */
		f->command->deadline_ms = clock_ms();
		return 0;
	}
	if ((sig == SIGINT || sig == SIGTERM) && ++f->interrupts >= INTERRUPTS_MAX)
		return err_set(e, EINTR, "interrupted");
	cage_command_signal(f->command, sig);
	return 0;
}

static int dispatch(const struct pollset *ps, void *arg, struct error *e)
{
	struct foreground *f = arg;
	int ret = 0, sig;

	if (!pollset_revents(ps, f->signals.index))
		return 0;
	while (ret == 0 && (sig = signals_next(&f->signals)) > 0)
		ret = take_signal(f, sig, e);
	return ret;
}

int cage_exec(struct cage *cage, const struct cage_exec *what, struct cage_exit *exit,
	      struct error *e)
{
	static const int taken[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH,
				     SIGCONT };
	struct foreground f = { .end_on_signal = what->end_on_signal };
	struct cage_member *member;
	int ret;

	*exit = (struct cage_exit){ 0 };
	ret = signals_open(&f.signals, taken, ARRAY_SIZE(taken));
	if (ret < 0)
		return err_sys(e, -ret, "cannot watch for signals");
	/* one that came while the cage was starting, say, counts as well */
	if (what->end_on_signal && interrupted())
		ret = err_set(e, EINTR, "interrupted");
	if (ret == 0)
		ret = cage_command_start(&f.command, cage, what, e);
	if (ret == 0) {
		if (what->tty)
			f.terminal = terminal_open(what->stdin_fd);
		member = cage_member_add(cage, fill, dispatch, &f);
		ret = cage_wait(cage, f.command, e);
		cage_member_remove(member);
		terminal_close(f.terminal);
	}
	if (ret == 0) {
		*exit = *cage_command_exit(f.command);
		exit->reason = exit->reason ? xstrdup(exit->reason) : NULL;
	}
	cage_command_free(f.command);
	signals_close(&f.signals);
	return ret;
}

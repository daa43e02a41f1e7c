// SPDX-License-Identifier: GPL-2.0-or-later
/* A command in a cage, as options and as what it ended with: see guest.h. */
#include "umlcage/cmd/guest.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "umlcage/base/parent.h"
#include "umlcage/cmd/cmd.h"

#define GUEST(field, kind) OPT_##kind(struct guest_options, field)

const struct opt guest_opts[] = {
	{ OPT_STRING, 'C', "workdir", "DIR", GUEST(workdir, STR), "where it starts (default: /)" },
	{ OPT_STRING, 'u', "user", "USER[:GROUP]", GUEST(user, STR),
	  "names of the root or numbers (default: root)" },
	{ OPT_DURATION, 0, "timeout", "TIME", GUEST(timeout, U64),
	  "end it after TIME (90, 1.5m, 2h); exit status 124" },
	{ OPT_FLAG, 't', "tty", NULL, GUEST(tty, BOOL),
	  "give it a terminal (default when stdin and stdout are one)" },
	{ OPT_FLAG, 'T', "no-tty", NULL, GUEST(no_tty, BOOL), "never give it a terminal" },
	{ OPT_FLAG, 'i', "interactive", NULL, GUEST(interactive, BOOL),
	  "pass stdin on; always done, for those used to asking for it" },
	OPT_END,
};

int guest_fail(struct error *e)
{
	return cmd_fail(e) == EXIT_USAGE ? EXIT_USAGE : EXIT_UMLCAGE;
}

int guest_check(const struct guest_options *o, struct error *e)
{
	return o->tty && o->no_tty ? err_usage(e, "--tty and --no-tty exclude each other") : 0;
}

bool guest_wants_terminal(const struct guest_options *o)
{
	return o->tty || (!o->no_tty && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO));
}

/* " (512 MiB)", or nothing. */
static const char *in_words(uint64_t memory, char *to, size_t len)
{
	*to = '\0';
	if (memory)
		snprintf(to, len, " (%llu MiB)", (unsigned long long)(memory >> 20));
	return to;
}

int guest_report(const struct cage_exit *exit, const struct guest_options *o, uint64_t memory,
		   bool quiet)
{
	int status = exit->status;
	char size[40];

	in_words(memory, size, sizeof(size));
	if (exit->reason)
		fprintf(stderr, "umlcage: %s\n", exit->reason);
	else if (exit->oom && exit->status)
		fprintf(stderr, "umlcage: the cage ran out of memory%s and killed a process; "
			"give it more with --memory\n", size);
	else if (exit->full && exit->status)
		fprintf(stderr, "umlcage: files in the cage's memory%s can grow no more; give "
			"it more with --memory (or --disk, if given), or let changes go to the disk with "
			"--scratch=disk\n", size);
	else if (exit->timed_out && parent_gone())
		fputs("umlcage: the command was ended, as what started umlcage has ended\n", stderr);
	else if (exit->timed_out && !quiet)
		fprintf(stderr, "umlcage: the command timed out after %g s\n",
			(double)o->timeout / 1000);
	if (exit->output_error) {
		fprintf(stderr, "umlcage: cannot write the command's output: %s\n",
			strerror(exit->output_error));
		status = status ? status : EXIT_UMLCAGE;
	}
	return status;
}

char **guest_login_shell(void)
{
	/* the agent sets SHELL to what the root's passwd says of the user */
	static char sh[] = "/bin/sh", c[] = "-c", line[] = "exec \"$SHELL\" -l";
	static char *words[] = { sh, c, line, NULL };

	return words;
}

char **guest_shell_line(const char *line)
{
	static char sh[] = "/bin/sh", c[] = "-c";
	static char *words[] = { sh, c, NULL, NULL };

	words[2] = (char *)(uintptr_t)line;
	return words;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * umlcage: runs commands in sessions by itself, without a library to load, and becomes one of
 * the other programs for everything else; see programs.h.
 */
#include <signal.h>
#include <string.h>

#include "umlcage/cmd/cmd.h"
#include "umlcage/cmd/programs.h"
#include "umlcage/cmd/session.h"

static bool named(int argc, char **argv, const char *first, const char *second)
{
	return argc > (second ? 2 : 1) && strcmp(argv[1], first) == 0 &&
	       (!second || strcmp(argv[2], second) == 0);
}

static int run(const struct command *c, char *full_name, int argc, char **argv)
{
	/* a closed pipe is an error of the write, reported where it happens */
	signal(SIGPIPE, SIG_IGN);
	argv[2] = full_name;
	return c->run(c, argc - 2, argv + 2);
}

int main(int argc, char **argv)
{
	static char exec_name[] = "umlcage session exec", shell_name[] = "umlcage session shell";
	struct error e = ERROR_INIT;
	bool cage;

	if (named(argc, argv, "session", "exec"))
		return run(&command_session_exec, exec_name, argc, argv);
	if (named(argc, argv, "session", "shell"))
		return run(&command_session_shell, shell_name, argc, argv);
	cage = named(argc, argv, "run", NULL) || named(argc, argv, "shell", NULL) ||
	       named(argc, argv, "session", "start");
	(void)program_become(cage ? "umlcage-cage" : "umlcage-make", argv, &e);
	cmd_fail(&e);
	return cage ? EXIT_UMLCAGE : EXIT_FAILED;
}

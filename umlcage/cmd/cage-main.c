// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage-cage: runs cages, with all that supervises them; see programs.h. */
#include <signal.h>
#include <string.h>

#include "umlcage/base/remains.h"
#include "umlcage/cmd/cmd.h"
#include "umlcage/cmd/programs.h"
#include "umlcage/cmd/session.h"

/* argv[at] names the command. */
static int run(const struct command *c, char *full_name, int argc, char **argv, int at)
{
	int status;

	/* a closed pipe is an error of the write, reported where it happens */
	signal(SIGPIPE, SIG_IGN);
	argv[at] = full_name;
	memory_status(EXIT_UMLCAGE);
	remains_begin();
	status = c->run(c, argc - at, argv + at);
	remains_end();
	return status;
}

int main(int argc, char **argv)
{
	static char run_name[] = "umlcage run", shell_name[] = "umlcage shell",
		    start_name[] = "umlcage session start";
	struct error e = ERROR_INIT;

	if (argc > 1 && strcmp(argv[1], command_run.name) == 0)
		return run(&command_run, run_name, argc, argv, 1);
	if (argc > 1 && strcmp(argv[1], command_shell.name) == 0)
		return run(&command_shell, shell_name, argc, argv, 1);
	if (argc > 2 && strcmp(argv[1], "session") == 0 &&
	    strcmp(argv[2], command_session_start.name) == 0)
		return run(&command_session_start, start_name, argc, argv, 2);
	(void)program_become("umlcage-make", argv, &e);
	cmd_fail(&e);
	return EXIT_FAILED;
}

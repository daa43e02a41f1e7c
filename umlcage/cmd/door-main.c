// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * umlcage: runs commands in sessions by itself, without a library to load, and becomes one of
 * the other programs for everything else; see programs.h.
 */
#include <stddef.h>

#include "umlcage/cmd/cmd.h"
#include "umlcage/cmd/programs.h"
#include "umlcage/cmd/session.h"

int main(int argc, char **argv)
{
	static const struct program_command commands[] = {
		{ "session exec", &command_session_exec }, { "session shell", &command_session_shell },
		{ "session attach", &command_session_attach },
		{ "session console", &command_session_console }, { NULL, NULL },
	};
	struct error e = ERROR_INIT;
	int status = program_run(commands, argc, argv);
	bool cage;

	if (status >= 0)
		return status;
	cage = program_named(argc, argv, "run") || program_named(argc, argv, "shell") ||
	       program_named(argc, argv, "session start");
	(void)program_become(cage ? "umlcage-cage" : "umlcage-make", argv, &e);
	cmd_fail(&e);
	return cage ? EXIT_UMLCAGE : EXIT_FAILED;
}

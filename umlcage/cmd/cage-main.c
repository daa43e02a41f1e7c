// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage-cage: runs cages, with all that supervises them; see programs.h. */
#include <stddef.h>

#include "umlcage/base/remains.h"
#include "umlcage/cmd/cmd.h"
#include "umlcage/cmd/programs.h"
#include "umlcage/cmd/session.h"

int main(int argc, char **argv)
{
	static const struct program_command commands[] = {
		{ "run", &command_run }, { "shell", &command_shell },
		{ "session start", &command_session_start }, { NULL, NULL },
	};
	struct error e = ERROR_INIT;
	int status;

	memory_status(EXIT_UMLCAGE);
	remains_begin();
	status = program_run(commands, argc, argv);
	remains_end();
	if (status >= 0)
		return status;
	(void)program_become("umlcage-make", argv, &e);
	cmd_fail(&e);
	return EXIT_FAILED;
}

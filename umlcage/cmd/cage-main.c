// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage: runs cages; for every other command it becomes umlcage-make, see workshop.h. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "umlcage/base/remains.h"
#include "umlcage/cmd/cmd.h"
#include "umlcage/cmd/session.h"
#include "umlcage/cmd/workshop.h"

const struct command *const cmd_tree = NULL;

/* The command line as it came: what is parsed is moved about. */
static char **original;

int cmd_become(struct error *e)
{
	return workshop_become(original, e);
}

/* Of 'umlcage session', what is about cages. */
static int run_session(int argc, char **argv, int *status)
{
	static const struct command *const own[] = { &command_session_start, &command_session_exec,
						     &command_session_shell };

	for (size_t i = 0; argc > 2 && i < ARRAY_SIZE(own); i++) {
		cleanup_free char *name = NULL;

		if (strcmp(argv[1], "session") != 0 || strcmp(argv[2], own[i]->name) != 0)
			continue;
		signal(SIGPIPE, SIG_IGN);
		name = xasprintf("umlcage session %s", own[i]->name);
		argv[2] = name;
		*status = own[i]->run(own[i], argc - 2, argv + 2);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct command *const own[] = { &command_run, &command_shell };
	struct error e = ERROR_INIT;
	int status;

	original = xmemdup(argv, ((size_t)argc + 1) * sizeof(*argv));
	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(own); i++) {
		cleanup_free char *name = NULL;

		if (strcmp(argv[1], own[i]->name) != 0)
			continue;
		/* a closed pipe is an error of the write, reported where it happens */
		signal(SIGPIPE, SIG_IGN);
		name = xasprintf("umlcage %s", own[i]->name);
		argv[1] = name;
		memory_status(EXIT_UMLCAGE);
		remains_begin();
		status = own[i]->run(own[i], argc - 1, argv + 1);
		remains_end();
		return status;
	}
	if (run_session(argc, argv, &status))
		return status;
	workshop_become(argv, &e);
	cmd_fail(&e);
	return EXIT_FAILED;
}

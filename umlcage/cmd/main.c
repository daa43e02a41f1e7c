// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage: the table of commands. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "umlcage/cmd/cmd.h"

#ifndef UMLCAGE_VERSION
#define UMLCAGE_VERSION "0.1"
#endif

/* In the order of the help text; a line is added with the command's file. */
static const struct subcommand commands[] = {
	{ "cache", cmd_cache, "lists and prunes the cache of packages and finished trees" },
	{ "debootstrap", cmd_debootstrap, "runs the distribution's debootstrap in a cage" },
	{ "doctor", cmd_doctor, "says what this host offers, and whether a cage can run" },
	{ "fabricate", cmd_fabricate, "makes a root filesystem from a package archive" },
	{ "run", cmd_run, "runs a command as root in a cage" },
	{ "shell", cmd_shell, "opens a shell as root in a root filesystem" },
	{ "root", cmd_root, "roots kept by name" },
	{ "share", cmd_share, "imports, exports, lists and checks shares" },
	{ "kernel", cmd_kernel, "builds, lists and removes the kernels that cages run on" },
	{ NULL, NULL, NULL },
};

int main(int argc, char **argv)
{
	/* a closed pipe is an error of the write, reported where it happens */
	signal(SIGPIPE, SIG_IGN);
	if (argc >= 2 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0)) {
		puts("umlcage " UMLCAGE_VERSION);
		return 0;
	}
	return cmd_dispatch("umlcage", "Fabricates root filesystems, and runs commands as root in "
			    "them, without any privilege.", commands, argc, argv);
}

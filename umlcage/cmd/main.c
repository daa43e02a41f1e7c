// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage-make: the table of all commands; see programs.h. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "umlcage/base/remains.h"
#include "umlcage/cage/cage.h"
#include "umlcage/cmd/cmd.h"

#ifndef UMLCAGE_VERSION
#define UMLCAGE_VERSION "0.1"
#endif

static int version(const struct command *self, int argc, char **argv);
static const struct opt_spec version_spec = {
	.usage = "umlcage version",
	.summary = "Prints the version.",
};
static const struct command command_version = {
	"version", "prints the version", &version_spec, version, NULL, NULL,
};

static int version(const struct command *self, int argc, char **argv)
{
	int status = cmd_parse(self->spec, NULL, &argc, &argv);

	if (status < 0)
		puts("umlcage " UMLCAGE_VERSION);
	return status < 0 ? EXIT_OK : status;
}

/* In the order of the help text. */
static const struct command *const commands[] = {
	&command_fabricate, &command_build, &command_deb, &command_debootstrap, &command_run, &command_shell,
	&command_session, &command_tool, &command_root, &command_share, &command_kernel, &command_cache,
	&command_doctor, &command_help, &command_version, NULL,
};

const struct command command_umlcage = {
	.name = "umlcage",
	.summary = "Fabricates root filesystems, and runs commands as root in them, without any privilege.",
	.run = cmd_dispatch,
	.sub = commands,
};

int main(int argc, char **argv)
{
	char name[] = "umlcage";
	int status;

	/* a closed pipe is an error of the write, reported where it happens */
	signal(SIGPIPE, SIG_IGN);
	if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
		puts("umlcage " UMLCAGE_VERSION);
		return EXIT_OK;
	}
	if (argc >= 1)
		argv[0] = name;
	cage_peers_join();
	remains_begin();
	status = cmd_dispatch(&command_umlcage, argc, argv);
	remains_end();
	return status;
}

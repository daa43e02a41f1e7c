/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line.  A command is data: its name, its options, the function that parses,
 * calls the library and reports.  Help, manual pages and the completion of shells are made
 * from the same data (help.c).
 */
#ifndef UMLCAGE_CMD_CMD_H
#define UMLCAGE_CMD_CMD_H

#include "umlcage/base/error.h"
#include "umlcage/base/opts.h"

/* What the program ends with; "umlcage help exit-status" explains them to people. */
enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,	/* for a reason that has no number of its own */
	EXIT_USAGE = 2,		/* bad input */
	EXIT_ABSENT = 3,	/* what was named is not there: a root, a suite, a file */
	EXIT_NETWORK = 4,	/* a mirror or the way to it: worth another try later */
	EXIT_PACKAGES = 5,	/* a maintainer script, dpkg or a hook failed */
	EXIT_DISK = 6,		/* no space, or a file system that cannot be read or written */
	EXIT_BUILD = 7,		/* deb build: the package's own build failed */
	EXIT_TIMEOUT = 124,	/* run: the time limit ended the command */
	EXIT_UMLCAGE = 125,	/* run: umlcage itself failed */
};

struct command {
	const char *name;
	const char *help;	/* for lists: "runs a command as root in a cage" */
	const struct opt_spec *spec;	/* NULL for one that has only subcommands */
	/* argv[0] is "umlcage NAME"; returns the exit status of the program */
	int (*run)(const struct command *self, int argc, char **argv);
	const struct command *const *sub;	/* ends with NULL */
	const char *summary;	/* of one that has subcommands */
	/* looks at arguments as @run would, argv[0] the command's name, without any effect; or NULL */
	int (*check)(const struct command *self, int argc, char **argv, struct error *e);
};

extern const struct command command_build, command_cache, command_deb, command_debootstrap, command_doctor,
	command_fabricate,
	command_help, command_kernel, command_root, command_run, command_session, command_share,
	command_shell, command_tool, command_umlcage;

/* The options of a command with those that all have: opts_each() and opts_help(). */
void cmd_each_option(const struct opt_spec *spec, void (*fn)(const struct opt *o, void *arg),
		     void *arg);
void cmd_help(const struct opt_spec *spec, FILE *out);
/*
 * opts_parse() with settings from files (settings.h), and with --help and errors dealt with:
 * returns -1 to go on, otherwise the exit status to return.
 */
int cmd_parse(const struct opt_spec *spec, void *values, int *argc, char ***argv);
/* Prints "umlcage: TEXT" on stderr, releases @e; returns the exit status for its kind. */
int cmd_fail(struct error *e);
/* That status alone. */
int cmd_status(const struct error *e);
/* Runs the command or subcommand that argv[1] names; argv[0] is the parent's full name. */
int cmd_dispatch(const struct command *parent, int argc, char **argv);
/* The list of a command's subcommands, as its --help prints it. */
void cmd_list(const struct command *parent, const char *full_name, FILE *out);
/* The list alone, for one that has options as well. */
void cmd_list_names(const struct command *parent, FILE *out);
/* The subcommand of that name, or NULL. */
const struct command *cmd_find(const struct command *parent, const char *name);

#endif

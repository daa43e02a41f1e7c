/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line: one file per subcommand, each parse, call, report.
 * A command gets argc/argv with argv[0] = "umlcage NAME" and returns the exit
 * status of the program.
 */
#ifndef UMLCAGE_CMD_H
#define UMLCAGE_CMD_H

#include "umlcage/base/error.h"
#include "umlcage/base/opts.h"

enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,	/* the command did not do what it was asked to */
	EXIT_USAGE = 2,		/* bad input */
	EXIT_TIMEOUT = 124,	/* run: the time limit ended the command */
	EXIT_UMLCAGE = 125,	/* run: umlcage itself failed */
};

int cmd_cache(int argc, char **argv);
int cmd_debootstrap(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_fabricate(int argc, char **argv);
int cmd_kernel(int argc, char **argv);
int cmd_root(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_share(int argc, char **argv);
int cmd_shell(int argc, char **argv);

/*
 * opts_parse() with --help and errors dealt with: returns -1 to go on, otherwise
 * the exit status to return.
 */
int cmd_parse(const struct opt_spec *spec, int *argc, char ***argv);
/* Prints "umlcage: TEXT" on stderr; returns EXIT_USAGE or EXIT_FAILED; releases @e. */
int cmd_fail(struct error *e);

/* A subcommand of a subcommand, e.g. "umlcage kernel build". */
struct subcommand {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
};

/* Dispatches argv[1]; @parent is "umlcage kernel", @table ends with a NULL name. */
int cmd_dispatch(const char *parent, const char *summary, const struct subcommand *table,
		 int argc, char **argv);

#endif

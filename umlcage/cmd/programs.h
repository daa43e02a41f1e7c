/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The programs that umlcage consists of, and how they find each other.  To who uses them they
 * are one: each becomes another for a command that is not its own.
 *
 *	umlcage			commands in sessions; needs no library
 *	umlcage-cage		run, shell, session start: what supervises a cage
 *	umlcage-make		all commands
 */
#ifndef UMLCAGE_CMD_PROGRAMS_H
#define UMLCAGE_CMD_PROGRAMS_H

#include <stdbool.h>

#include "umlcage/base/error.h"

struct command;

/* A command that a program has itself. */
struct program_command {
	const char *words;	/* "session exec" */
	const struct command *command;
};

/* Do the arguments begin with these words? */
bool program_named(int argc, char **argv, const char *words);
/* Runs the one that they name, of a table whose last one has no words; -1: none of them. */
int program_run(const struct program_command *commands, int argc, char **argv);

/* The path of one of them, which can be executed; malloc'ed. */
int program_find(const char *name, char **path, struct error *e);
/* Runs it in the place of this process, with these words; returns only if that fails. */
int program_become(const char *name, char **argv, struct error *e);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Option tables: each command declares its options in one table, from which
 * parsing (getopt_long) and the help text are made.
 */
#ifndef UMLCAGE_BASE_OPTS_H
#define UMLCAGE_BASE_OPTS_H

#include <stdbool.h>
#include <stdio.h>

#include "umlcage/base/error.h"
#include "umlcage/base/str.h"

enum opt_kind {
	OPT_HEADING,	/* only help: a blank line and @help as a title */
	OPT_FLAG,	/* bool *: set true */
	OPT_UNFLAG,	/* bool *: set false (for --no-X) */
	OPT_COUNT,	/* int *: incremented */
	OPT_STRING,	/* const char **: the last one wins, not copied */
	OPT_LIST,	/* struct strv *: every one, copied */
	OPT_UINT,	/* unsigned int *: decimal */
	OPT_SIZE,	/* uint64_t *: bytes, see parse_size() */
	OPT_DURATION,	/* uint64_t *: milliseconds, see parse_duration() */
	OPT_CALL,	/* call(arg, value, e); arg is NULL when .arg is NULL */
};

struct opt {
	enum opt_kind kind;
	char letter;		/* 0: none */
	const char *name;	/* long name without dashes; NULL: none */
	const char *arg;	/* what the help calls the argument; NULL: takes none */
	bool optional_arg;	/* --name[=ARG] */
	void *value;
	const char *help;
	int (*call)(const char *arg, void *value, struct error *e);
};

#define OPT_END { .kind = OPT_HEADING, .help = NULL }

struct opt_spec {
	const char *usage;	/* "umlcage run [options] [--] COMMAND [ARG...]" */
	const char *summary;	/* one sentence */
	const struct opt *opts;	/* ends with OPT_END */
	const char *epilogue;	/* after the options; may be NULL */
	bool stop_at_operand;	/* the first operand ends the options */
};

/*
 * Parses @argv (argv[0] is the command's name) and moves the operands to the
 * front: *@argc and *@argv are them afterwards.  Returns 0; 1 when --help or -h
 * was given; -EINVAL with a usage error.  Knows -h and --help by itself.
 */
int opts_parse(const struct opt_spec *spec, int *argc, char ***argv, struct error *e);
void opts_help(const struct opt_spec *spec, FILE *out);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Option tables: data from which parsing (getopt_long(3)), the help text, the manual pages
 * and the completion of shells are made.  A table says where in a struct a value goes, by
 * an offset, so that it can be constant and be part of several commands: each command is a
 * list of groups, a group a table and the place of its struct in the command's.
 *
 *	struct thing { const char *name; bool quick; };
 *	static const struct opt thing_opts[] = {
 *		{ OPT_STRING, 'n', "name", "NAME", OPT_STR(struct thing, name), "its name" },
 *		{ OPT_FLAG, 0, "quick", NULL, OPT_BOOL(struct thing, quick), "in a hurry" },
 *		OPT_END,
 *	};
 */
#ifndef UMLCAGE_BASE_OPTS_H
#define UMLCAGE_BASE_OPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "umlcage/base/error.h"
#include "umlcage/base/str.h"

enum opt_kind {
	OPT_HEADING,	/* only help: a blank line and .help as a title */
	OPT_FLAG,	/* bool: set true */
	OPT_UNFLAG,	/* bool: set false (for --no-X) */
	OPT_COUNT,	/* int: incremented */
	OPT_STRING,	/* const char *: the last one wins, not copied */
	OPT_LIST,	/* struct strv: every one, copied */
	OPT_UINT,	/* unsigned int: decimal */
	OPT_SIZE,	/* uint64_t: bytes, see parse_size() */
	OPT_DURATION,	/* uint64_t: milliseconds, see parse_duration() */
	OPT_PASS,	/* struct strv: the option as "--name" or "--name=ARG", for another program */
	OPT_CALL,	/* .call(opt, arg, value, e); arg is NULL when .arg is NULL */
	OPT_FOREIGN,	/* other tools' word for something: refused with .help, which names ours */
};

struct opt {
	enum opt_kind kind;
	char letter;		/* 0: none */
	const char *name;	/* long name without dashes; NULL: none */
	const char *arg;	/* what the help calls the argument; NULL: takes none */
	size_t at;		/* where the value is in the struct of the group: OPT_BOOL and so on */
	const char *help;	/* may have several lines; NULL: works, but is not shown */
	int (*call)(const struct opt *opt, const char *arg, void *value, struct error *e);
	bool optional_arg;	/* --name[=ARG] */
	int number;		/* for .call, if it serves several options */
	void (*words)(struct strv *words);	/* adds what .arg may be, for the help */
};

#define OPT_END { .kind = OPT_HEADING, .help = NULL }

/* The offset of a field, which the compiler checks to have the type that the kind needs. */
#define OPT_FIELD(type, s, field) \
	(offsetof(s, field) + _Generic(&((s *)0)->field, __typeof__(type) *: 0))
#define OPT_BOOL(s, field) OPT_FIELD(bool, s, field)
#define OPT_INT(s, field) OPT_FIELD(int, s, field)
#define OPT_STR(s, field) OPT_FIELD(const char *, s, field)
#define OPT_STRV(s, field) OPT_FIELD(struct strv, s, field)
#define OPT_UNSIGNED(s, field) OPT_FIELD(unsigned int, s, field)
#define OPT_U64(s, field) OPT_FIELD(uint64_t, s, field)

struct opt_group {
	const char *title;	/* NULL: continues the one before */
	const struct opt *opts;	/* ends with OPT_END */
	size_t at;		/* where the group's struct is in the command's */
	void *base;		/* instead of the command's: a struct of others; usually NULL */
};

/* A constant list of groups, for struct opt_spec. */
#define OPT_GROUPS(...) (const struct opt_group[]){ __VA_ARGS__, { NULL, NULL, 0 } }

struct opt_spec {
	const char *usage;	/* "umlcage run [options] [--] COMMAND [ARG...]" */
	const char *summary;	/* one sentence */
	const struct opt_group *groups;	/* ends with one without .opts; NULL: only --help */
	const char *epilogue;	/* after the options; may be NULL */
	bool stop_at_operand;	/* the first operand ends the options */
	bool profiles;		/* a first operand @NAME stands for the options of a profile */
	/* opts_parse() calls it for each option it has taken; may be NULL */
	void (*seen)(const struct opt *opt, const char *arg, void *seen_arg);
	void *seen_arg;
};

/*
 * Parses @argv (argv[0] is the command's name) into @values, the struct that the groups are
 * parts of, and moves the operands to the front: *@argc and *@argv are them afterwards.
 * Returns 0; 1 when --help or -h was given; -EINVAL with a usage error, which suggests the
 * nearest option for an unknown one.  Knows -h and --help by itself.  With @values NULL only
 * groups with a base of their own are filled: for a first look.
 */
int opts_parse(const struct opt_spec *spec, void *values, int *argc, char ***argv,
	       struct error *e);
void opts_help(const struct opt_spec *spec, FILE *out);
/* What an option's help says, with .words in further lines; malloc'ed. */
char *opt_text(const struct opt *opt);

/* The option of the long name @name, without dashes; NULL: there is none. */
const struct opt *opts_find(const struct opt_spec *spec, const char *name);
/* The long name that @name was probably meant to be; NULL: none. */
const char *opts_nearest(const struct opt_spec *spec, const char *name);
/*
 * Sets the long option @name to what a file of settings says of it: its argument, or, for one
 * that takes none (or need not have one), whether it is given: "yes" or "no" as of ini_bool();
 * a count may be a number.  @value must live as long as @values.  -ENOENT (without a text): there
 * is no such option; -EINVAL with a usage error that begins with the name.
 */
int opts_set(const struct opt_spec *spec, void *values, const char *name, const char *value,
	     struct error *e);

/*
 * Calls @fn for every option and heading of all groups, in order (a group's title as a
 * heading of its own): for manual pages and completion.
 */
void opts_each(const struct opt_spec *spec, void (*fn)(const struct opt *o, void *arg), void *arg);

#endif

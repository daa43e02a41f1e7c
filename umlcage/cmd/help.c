// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage help: the help of a command, its manual page, the completion of shells. */
#include "umlcage/cmd/help.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "umlcage/cmd/settings.h"

const struct help_status help_statuses[] = {
	{ EXIT_OK, "success" },
	{ EXIT_FAILED, "failed, for a reason that has no number of its own" },
	{ EXIT_USAGE, "bad input: an option, a name or a value; nothing was done" },
	{ EXIT_ABSENT, "what was named is not there: a root, a suite, a package, a file" },
	{ EXIT_NETWORK, "a mirror, or the way to it: worth another try later" },
	{ EXIT_PACKAGES, "a maintainer script, dpkg or a hook failed" },
	{ EXIT_DISK, "no space left, or a file system that cannot be read or written" },
	{ EXIT_BUILD, "the package's own build failed (umlcage deb build)" },
	{ 0, NULL },
};

void help_exit_status(FILE *out)
{
	fputs("exit statuses of all commands:\n", out);
	for (const struct help_status *s = help_statuses; s->meaning; s++)
		fprintf(out, "  %-5d%s\n", s->status, s->meaning);
	fputs("\n'umlcage run' and 'umlcage shell' end with what the command ended with; 128+N when\n"
	      "signal N ended it; 124 after --timeout; 125 when umlcage failed, for whatever reason;\n"
	      "126 when the command cannot be run; 127 when there is no such command; 2 bad usage.\n"
	      "'umlcage debootstrap' ends with what debootstrap ended with, 'deb check' with lintian's\n"
	      "status, 'deb test' with autopkgtest's.\n", out);
}

struct help_options {
	bool man;
	const char *completion;
};

static const struct opt opts[] = {
	{ OPT_FLAG, 0, "man", NULL, OPT_BOOL(struct help_options, man),
	  "the manual page of the command, for 'man -l -'" },
	{ OPT_STRING, 0, "completion", "SHELL", OPT_STR(struct help_options, completion),
	  "a script that completes umlcage's commands and options: bash, zsh or fish" },
	OPT_END,
};

static const struct opt_spec spec = {
	.usage = "umlcage help [--man] [COMMAND [SUBCOMMAND] | umlcage.conf | exit-status]\n"
		 "       umlcage help --completion=SHELL",
	.summary = "Explains a command, the file of settings, or what exit statuses mean.",
	.groups = OPT_GROUPS({ NULL, opts, 0 }),
};

/* The command that @words name, and its full name. */
static const struct command *look_up(char **words, int n, struct strbuf *full, struct error *e)
{
	const struct command *c = &command_umlcage;

	sb_adds(full, c->name);
	for (int i = 0; i < n; i++) {
		const struct command *sub = c->sub ? cmd_find(c, words[i]) : NULL;

		if (!sub) {
			err_usage(e, "there is no command '%s %s'; see '%s --help'", sb_str(full),
				  words[i], c->sub ? sb_str(full) : "umlcage");
			return NULL;
		}
		c = sub;
		sb_addf(full, " %s", c->name);
	}
	return c;
}

static int explain(const struct help_options *o, int argc, char **argv, struct error *e)
{
	cleanup_strbuf struct strbuf full = STRBUF_INIT;
	const struct command *c;

	if (argc == 1 && str_eq(argv[0], "exit-status")) {
		help_exit_status(stdout);
		return 0;
	}
	if (argc == 1 && str_eq(argv[0], SETTINGS_FILE)) {
		if (o->man)
			help_settings_man(stdout);
		else
			help_settings(stdout);
		return 0;
	}
	c = look_up(argv, argc, &full, e);
	if (!c)
		return -e->errnum;
	if (o->man)
		help_man(c, sb_str(&full), stdout);
	else if (!c->spec)
		cmd_list(c, sb_str(&full), stdout);
	else
		cmd_help(c->spec, stdout);
	if (!o->man && c->spec && c->sub)
		cmd_list_names(c, stdout);
	return 0;
}

static int run_help(const struct command *self, int argc, char **argv)
{
	struct help_options o = { 0 };
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv), ret;

	if (status >= 0)
		return status;
	ret = o.completion ? help_completion(o.completion, stdout, &e) :
			     explain(&o, argc, argv, &e);
	if (ret == 0 && fflush(stdout) != 0)
		ret = err_set(&e, EIO, "cannot write to standard output");
	return ret < 0 ? cmd_fail(&e) : EXIT_OK;
}

const struct command command_help = {
	"help", "explains a command", &spec, run_help, NULL, NULL,
};

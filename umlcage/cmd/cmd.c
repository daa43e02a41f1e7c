// SPDX-License-Identifier: GPL-2.0-or-later
/* What all commands share: option errors, help, exit statuses, dispatch of subcommands. */
#include "umlcage/cmd/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cmd_fail(struct error *e)
{
	static const int status[] = {
		[ERR_USAGE] = EXIT_USAGE, [ERR_ABSENT] = EXIT_ABSENT, [ERR_NETWORK] = EXIT_NETWORK,
		[ERR_PACKAGES] = EXIT_PACKAGES, [ERR_DISK] = EXIT_DISK, [ERR_OTHER] = EXIT_FAILED,
	};
	enum error_kind kind = err_kind(e);

	fprintf(stderr, "umlcage: %s\n", err_text(e));
	err_release(e);
	return status[kind];
}

int cmd_parse(const struct opt_spec *spec, void *values, int *argc, char ***argv)
{
	struct error e = ERROR_INIT;
	int ret = opts_parse(spec, values, argc, argv, &e);

	if (ret < 0)
		return cmd_fail(&e);
	if (ret == 0)
		return -1;
	opts_help(spec, stdout);
	return EXIT_OK;
}

void cmd_list(const struct command *parent, const char *full_name, FILE *out)
{
	fprintf(out, "usage: %s COMMAND [options]\n\n%s\n\ncommands:\n", full_name, parent->summary);
	for (const struct command *const *c = parent->sub; *c; c++)
		fprintf(out, "  %-14s%s\n", (*c)->name, (*c)->help);
	fprintf(out, "\n'%s COMMAND --help' explains one.\n", full_name);
}

const struct command *cmd_find(const struct command *parent, const char *name)
{
	for (const struct command *const *c = parent->sub; *c; c++)
		if (strcmp((*c)->name, name) == 0)
			return *c;
	return NULL;
}

static int unknown(const struct command *parent, const char *full_name, const char *given)
{
	cleanup_strv struct strv names = STRV_INIT;
	const char *near;

	for (const struct command *const *c = parent->sub; *c; c++)
		strv_add(&names, (*c)->name);
	near = str_closest(given, (const char *const *)strv_argv(&names));
	fprintf(stderr, "umlcage: unknown command '%s'; ", given);
	if (near)
		fprintf(stderr, "did you mean '%s'? ", near);
	fprintf(stderr, "%s '%s --help'\n", near ? "See" : "see", full_name);
	return EXIT_USAGE;
}

int cmd_dispatch(const struct command *parent, int argc, char **argv)
{
	const struct command *c;
	int status;

	if (argc < 2) {
		cmd_list(parent, argv[0], stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		cmd_list(parent, argv[0], stdout);
		return EXIT_OK;
	}
	c = cmd_find(parent, argv[1]);
	if (!c)
		return unknown(parent, argv[0], argv[1]);

	cleanup_free char *name = xasprintf("%s %s", argv[0], c->name);

	argv[1] = name;
	status = c->run(c, argc - 1, argv + 1);
	return status;
}

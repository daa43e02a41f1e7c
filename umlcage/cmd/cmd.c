// SPDX-License-Identifier: GPL-2.0-or-later
/* What all commands share: option errors, help, dispatch of subcommands. */
#include "umlcage/cmd/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cmd_fail(struct error *e)
{
	int status = e->usage ? EXIT_USAGE : EXIT_FAILED;

	fprintf(stderr, "umlcage: %s\n", err_text(e));
	err_release(e);
	return status;
}

int cmd_parse(const struct opt_spec *spec, int *argc, char ***argv)
{
	struct error e = ERROR_INIT;
	int ret = opts_parse(spec, argc, argv, &e);

	if (ret < 0)
		return cmd_fail(&e);
	if (ret == 0)
		return -1;
	opts_help(spec, stdout);
	return EXIT_OK;
}

static void list(FILE *out, const char *parent, const char *summary, const struct subcommand *table)
{
	fprintf(out, "usage: %s COMMAND [options]\n\n%s\n\ncommands:\n", parent, summary);
	for (const struct subcommand *c = table; c->name; c++)
		fprintf(out, "  %-14s%s\n", c->name, c->help);
	fprintf(out, "\n'%s COMMAND --help' explains one.\n", parent);
}

int cmd_dispatch(const char *parent, const char *summary, const struct subcommand *table,
		 int argc, char **argv)
{
	if (argc < 2) {
		list(stderr, parent, summary, table);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		list(stdout, parent, summary, table);
		return EXIT_OK;
	}
	for (const struct subcommand *c = table; c->name; c++) {
		if (strcmp(argv[1], c->name) == 0) {
			size_t len = strlen(parent) + strlen(c->name) + 2;
			char *name = malloc(len);

			if (!name)
				return EXIT_FAILED;
			snprintf(name, len, "%s %s", parent, c->name);
			argv[1] = name;

			int status = c->run(argc - 1, argv + 1);

			free(name);
			return status;
		}
	}
	fprintf(stderr, "umlcage: unknown command '%s'; see '%s --help'\n", argv[1], parent);
	return EXIT_USAGE;
}

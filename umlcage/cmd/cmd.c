// SPDX-License-Identifier: GPL-2.0-or-later
/* What all commands share: option errors, help, exit statuses, dispatch of subcommands. */
#include "umlcage/cmd/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "umlcage/cmd/settings.h"

int cmd_status(const struct error *e)
{
	static const int status[] = {
		[ERR_USAGE] = EXIT_USAGE, [ERR_ABSENT] = EXIT_ABSENT, [ERR_NETWORK] = EXIT_NETWORK,
		[ERR_PACKAGES] = EXIT_PACKAGES, [ERR_DISK] = EXIT_DISK, [ERR_BUILD] = EXIT_BUILD,
		[ERR_OTHER] = EXIT_FAILED,
	};

	return status[err_kind(e)];
}

int cmd_fail(struct error *e)
{
	int status = cmd_status(e);

	fprintf(stderr, "umlcage: %s\n", err_text(e));
	err_release(e);
	return status;
}

/* The command's options and those that all have, which go into @o. */
static struct opt_group *all_groups(const struct opt_spec *spec, struct settings_options *o)
{
	size_t n = 0;
	struct opt_group *all;

	while (spec->groups && spec->groups[n].opts)
		n++;
	all = xcalloc(n + 2, sizeof(*all));
	if (n)
		memcpy(all, spec->groups, n * sizeof(*all));
	/* "config", the first one, means something else to some */
	all[n] = (struct opt_group){ "settings", settings_opts + (opts_find(spec, "config") ? 1 : 0), 0, o };
	return all;
}

void cmd_each_option(const struct opt_spec *spec, void (*fn)(const struct opt *o, void *arg), void *arg)
{
	struct settings_options none;
	cleanup_free struct opt_group *groups = all_groups(spec, &none);
	struct opt_spec all = *spec;

	all.groups = groups;
	opts_each(&all, fn, arg);
}

void cmd_help(const struct opt_spec *spec, FILE *out)
{
	struct settings_options none;
	cleanup_free struct opt_group *groups = all_groups(spec, &none);
	struct opt_spec all = *spec;

	all.groups = groups;
	opts_help(&all, out);
}

/* A first look, at the options that all have; takes the names of profiles out of @argv. */
static int look(const struct opt_spec *all, int *argc, char **argv, struct strv *profiles,
		struct error *e)
{
	for (;;) {
		int n = *argc, ret;
		char **rest = argv;

		ret = opts_parse(all, NULL, &n, &rest, e);
		if (ret != 0 || !all->profiles || n < 1 || rest[0][0] != '@' ||
		    strcmp(rest[-1], "--") == 0)
			return ret;
		strv_add(profiles, rest[0] + 1);
		memmove(rest, rest + 1, (size_t)n * sizeof(*rest));
		--*argc;
	}
}

static int parse(const struct opt_spec *all, const struct settings_options *o, void *values, int *argc,
		 char ***argv, struct error *e)
{
	cleanup_strv struct strv profiles = STRV_INIT;
	struct settings s = { .spec = all, .values = values, .section = *argv[0] };
	struct opt_spec noting = *all;
	int ret = look(all, argc, *argv, &profiles, e);

	if (ret != 0)
		return ret;
	if (str_starts(s.section, "umlcage "))
		s.section += strlen("umlcage ");
	noting.seen = settings_note;
	noting.seen_arg = &s;
	ret = settings_apply(&s, o, &profiles, e);
	if (ret == 0)
		ret = opts_parse(&noting, values, argc, argv, e);
	if (ret == 0 && o->print) {
		settings_print(&s, stdout);
		ret = 2;
	}
	settings_release(&s);
	return ret;
}

int cmd_parse(const struct opt_spec *spec, void *values, int *argc, char ***argv)
{
	struct settings_options o = { NULL };
	cleanup_free struct opt_group *groups = all_groups(spec, &o);
	struct error e = ERROR_INIT;
	struct opt_spec all = *spec;
	int ret;

	all.groups = groups;
	ret = parse(&all, &o, values, argc, argv, &e);
	if (ret < 0)
		return cmd_fail(&e);
	if (ret == 0)
		return -1;
	if (ret == 1)
		opts_help(&all, stdout);
	return EXIT_OK;
}

void cmd_list_names(const struct command *parent, FILE *out)
{
	fputs("\ncommands:\n", out);
	for (const struct command *const *c = parent->sub; *c; c++)
		fprintf(out, "  %-14s%s\n", (*c)->name, (*c)->help);
}

void cmd_list(const struct command *parent, const char *full_name, FILE *out)
{
	fprintf(out, "usage: %s COMMAND [options]\n\n%s\n", full_name, parent->summary);
	cmd_list_names(parent, out);
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

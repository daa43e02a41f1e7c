// SPDX-License-Identifier: GPL-2.0-or-later
/* Option tables over getopt_long: see opts.h. */
#include "umlcage/base/opts.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <string.h>

enum { LONG_BASE = 256, HELP_COLUMN = 30 };

static bool is_end(const struct opt *o)
{
	return o->kind == OPT_HEADING && !o->help;
}

static size_t count_opts(const struct opt *opts)
{
	size_t n = 0;

	while (opts && !is_end(&opts[n]))
		n++;
	return n;
}

static int apply(const struct opt *o, const char *given, const char *arg, struct error *e)
{
	uint64_t number;
	int ret = 0;

	switch (o->kind) {
	case OPT_HEADING:
		break;
	case OPT_FLAG:
		*(bool *)o->value = true;
		break;
	case OPT_UNFLAG:
		*(bool *)o->value = false;
		break;
	case OPT_COUNT:
		++*(int *)o->value;
		break;
	case OPT_STRING:
		*(const char **)o->value = arg;
		break;
	case OPT_LIST:
		strv_add(o->value, arg);
		break;
	case OPT_UINT:
		ret = parse_u64(arg, 10, UINT_MAX, &number);
		if (ret < 0)
			return err_usage(e, "%s: '%s' is not a number from 0 to %u", given, arg,
					 UINT_MAX);
		*(unsigned int *)o->value = (unsigned int)number;
		break;
	case OPT_SIZE:
		ret = parse_size(arg, o->value);
		if (ret < 0)
			return err_usage(e, "%s: '%s' is not a size; give bytes or a number with "
					 "K, M, G or T", given, arg);
		break;
	case OPT_DURATION:
		ret = parse_duration(arg, o->value);
		if (ret < 0)
			return err_usage(e, "%s: '%s' is not a time; give seconds or a number with "
					 "ms, s, m, h or d", given, arg);
		break;
	case OPT_CALL:
		ret = o->call(arg, o->value, e);
		if (ret < 0 && e) {
			bool usage = e->usage;

			ret = err_wrap(e, "%s", given);
			e->usage = usage;
		}
		break;
	}
	return ret;
}

static int unknown(const struct opt_spec *spec, char **argv, int arg_error, struct error *e)
{
	const char *given = argv[optind - 1];
	char letter[3] = { '-', (char)optopt, '\0' };

	if (optopt && optopt < LONG_BASE)
		given = letter;
	if (arg_error == ':')
		return err_usage(e, "option '%s' needs an argument; see '%s --help'", given, argv[0]);
	(void)spec;
	return err_usage(e, "unknown option '%s'; see '%s --help'", given, argv[0]);
}

int opts_parse(const struct opt_spec *spec, int *argc, char ***argv, struct error *e)
{
	size_t n = count_opts(spec->opts);
	cleanup_free struct option *longs = xcalloc(n + 2, sizeof(*longs));
	cleanup_strbuf struct strbuf letters = STRBUF_INIT;
	size_t nlongs = 0;

	sb_adds(&letters, spec->stop_at_operand ? "+:h" : ":h");
	for (size_t i = 0; i < n; i++) {
		const struct opt *o = &spec->opts[i];
		int has_arg = !o->arg ? no_argument :
			      o->optional_arg ? optional_argument : required_argument;

		if (o->kind == OPT_HEADING)
			continue;
		if (o->name)
			longs[nlongs++] = (struct option){ o->name, has_arg, NULL,
							   LONG_BASE + (int)i };
		if (o->letter)
			sb_addf(&letters, "%c%s", o->letter,
				!o->arg ? "" : o->optional_arg ? "::" : ":");
	}
	longs[nlongs] = (struct option){ "help", no_argument, NULL, 'h' };

	optind = 0;
	opterr = 0;
	for (int c; (c = getopt_long(*argc, *argv, sb_str(&letters), longs, NULL)) != -1;) {
		const struct opt *o = NULL;

		if (c == '?' || c == ':')
			return unknown(spec, *argv, c, e);
		if (c >= LONG_BASE) {
			o = &spec->opts[c - LONG_BASE];
		} else {
			for (size_t i = 0; i < n && !o; i++)
				if (spec->opts[i].letter == c)
					o = &spec->opts[i];
			if (!o)
				return 1;
		}

		cleanup_free char *given = c >= LONG_BASE ? xasprintf("--%s", o->name) :
							    xasprintf("-%c", o->letter);
		int ret = apply(o, given, optarg, e);

		if (ret < 0)
			return ret;
	}
	*argc -= optind;
	*argv += optind;
	return 0;
}

void opts_help(const struct opt_spec *spec, FILE *out)
{
	fprintf(out, "usage: %s\n\n%s\n", spec->usage, spec->summary);
	if (spec->opts && !is_end(spec->opts) && spec->opts->kind != OPT_HEADING)
		fputs("\noptions:\n", out);
	for (const struct opt *o = spec->opts; o && !is_end(o); o++) {
		cleanup_strbuf struct strbuf left = STRBUF_INIT;

		if (o->kind == OPT_HEADING) {
			fprintf(out, "\n%s:\n", o->help);
			continue;
		}
		sb_addf(&left, "  %c%c%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
			o->letter && o->name ? ", " : "  ");
		if (o->name)
			sb_addf(&left, "--%s", o->name);
		if (o->arg)
			sb_addf(&left, o->optional_arg ? "[=%s]" : o->name ? "=%s" : "%s", o->arg);
		fputs(sb_str(&left), out);

		/* the help may have several lines */
		int column = (int)left.len;

		for (const char *line = o->help; *line;) {
			size_t len = strcspn(line, "\n");

			if (column >= HELP_COLUMN - 1) {
				fputc('\n', out);
				column = 0;
			}
			fprintf(out, "%*s%.*s\n", HELP_COLUMN - column, "", (int)len, line);
			column = 0;
			line += len + (line[len] == '\n');
		}
	}
	if (spec->epilogue)
		fprintf(out, "\n%s\n", spec->epilogue);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Manual pages from the tables of commands and options: man(7), see help.h. */
#include <ctype.h>
#include <string.h>

#include "umlcage/cmd/help.h"

void help_text(FILE *out, const char *s)
{
	bool start = true;

	for (; *s; s++) {
		if (start && (*s == '.' || *s == '\''))
			fputs("\\&", out);
		start = *s == '\n';
		if (*s == '\\')
			fputs("\\e", out);
		else if (*s == '-')
			fputs("\\-", out);
		else if (*s == '\n')
			fputs("\n.br\n", out);
		else
			fputc(*s, out);
	}
}

static void heading(FILE *out, const char *s)
{
	fputs(".SS ", out);
	for (bool first = true; *s; s++, first = false)
		fputc(first ? toupper((unsigned char)*s) : *s, out);
	fputc('\n', out);
}

static void option(const struct opt *o, void *arg)
{
	cleanup_free char *text = o->kind == OPT_HEADING ? NULL : opt_text(o);
	FILE *out = arg;

	if (o->kind == OPT_HEADING) {
		heading(out, o->help);
		return;
	}
	fputs(".TP\n", out);
	if (o->letter)
		fprintf(out, "\\fB\\-%c\\fR%s", o->letter, o->name ? ", " : "");
	if (o->name) {
		fputs("\\fB", out);
		help_text(out, "--");
		help_text(out, o->name);
		fputs("\\fR", out);
	}
	if (o->arg) {
		fputs(o->optional_arg ? "[=\\fI" : "=\\fI", out);
		help_text(out, o->arg);
		fputs(o->optional_arg ? "\\fR]" : "\\fR", out);
	}
	fputc('\n', out);
	help_text(out, text);
	fputc('\n', out);
}

static void title(const char *full, FILE *out)
{
	fputs(".TH \"", out);
	for (const char *p = full; *p; p++)
		fputc(*p == ' ' ? '-' : toupper((unsigned char)*p), out);
	fprintf(out, "\" 1 \"\" \"umlcage %s\" \"User commands\"\n", UMLCAGE_VERSION);
}

/* Pages of subcommands are called umlcage-kernel-build, as git's are. */
static void reference(const char *full, const char *sub, FILE *out)
{
	fputs("\\fB", out);
	for (const char *p = full; *p; p++)
		help_text(out, *p == ' ' ? "-" : (const char[]){ *p, '\0' });
	help_text(out, "-");
	help_text(out, sub);
	fputs("\\fR(1)", out);
}

static void statuses(const struct command *c, FILE *out)
{
	fputs(".SH EXIT STATUS\n", out);
	if (c == &command_run || c == &command_shell) {
		fputs("The command's own; 128+N when signal N ended it; 124 after \\fB\\-\\-timeout\\fR; "
		      "125 when umlcage failed; 126 when the command cannot be run; 127 when there is "
		      "none of that name; 2 for bad usage.\n", out);
		return;
	}
	for (const struct help_status *s = help_statuses; s->meaning; s++) {
		fprintf(out, ".TP\n%d\n", s->status);
		help_text(out, s->meaning);
		fputc('\n', out);
	}
}

void help_man(const struct command *c, const char *full, FILE *out)
{
	title(full, out);
	fputs(".SH NAME\n", out);
	for (const char *p = full; *p; p++)
		help_text(out, *p == ' ' ? "-" : (const char[]){ *p, '\0' });
	fputs(" \\- ", out);
	help_text(out, c->help ? c->help : "root filesystems and root without privileges");
	fputs("\n.SH SYNOPSIS\n\\fB", out);
	if (!c->spec)
		fprintf(out, "%s\\fR COMMAND [options]", full);
	else
		help_text(out, c->spec->usage);
	fputs("\\fR\n.SH DESCRIPTION\n", out);
	help_text(out, c->spec ? c->spec->summary : c->summary);
	fputc('\n', out);
	if (c->spec && c->spec->epilogue) {
		fputs(".PP\n", out);
		help_text(out, c->spec->epilogue);
		fputc('\n', out);
	}
	if (c->sub) {
		fputs(".SH COMMANDS\n", out);
		for (const struct command *const *s = c->sub; *s; s++) {
			fputs(".TP\n", out);
			reference(full, (*s)->name, out);
			fputc('\n', out);
			help_text(out, (*s)->help);
			fputc('\n', out);
		}
	}
	if (c->spec) {
		fputs(".SH OPTIONS\n", out);
		cmd_each_option(c->spec, option, out);
	}
	statuses(c, out);
	if (c != &command_umlcage)
		fputs(".SH SEE ALSO\n\\fBumlcage\\fR(1), \\fBumlcage.conf\\fR(5)\n", out);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* What umlcage.conf may have in it, for people: as text and as a manual page (man(7)). */
#include <string.h>

#include "umlcage/cmd/help.h"
#include "umlcage/cmd/settings.h"

static const char *const paragraphs[] = {
	"Every long option of every command may stand in ~/.config/umlcage/" SETTINGS_FILE " (in "
	"$XDG_CONFIG_HOME, if that is set), in the file that --config names, or that the variable "
	SETTINGS_VARIABLE " names; empty, that means none, as --no-config does.",
	"A section is named after a command, [run] or [session start]. [" SETTINGS_ALL "] is for every "
	"command that has such an option. [@NAME] is a profile: 'umlcage run @NAME', 'umlcage shell "
	"@NAME' and 'umlcage session start @NAME' take it, and more options and operands may follow.",
	"A key is an option without its dashes. One that takes no argument is 'yes' or 'no'. One that may "
	"be repeated on a command line may be repeated here. A value is taken as it stands, without "
	"quotes; a line that begins with a blank continues the one before. Lines that begin with '#' or "
	"';' are comments.",
	"What is said later counts: [" SETTINGS_ALL "], the command's own section, profiles, the command "
	"line. Lists become longer that way. A key or a section that nobody knows is an error. "
	"'umlcage COMMAND --print-config' prints what is in force, and the line it comes from.",
	NULL,
};

static const char example[] =
	"[" SETTINGS_ALL "]\n"
	"mirror = https://mirror.example.org/debian\n"
	"memory = 2G\n"
	"\n"
	"[run]\n"
	"net = restricted\n"
	"\n"
	"[@builder]\n"
	"root = trixie-build\n"
	"keep = builder\n"
	"bind = .:/src\n"
	"bind = /srv/ccache:/root/.ccache\n"
	"workdir = /src\n"
	"command = dpkg-buildpackage -b -us -uc\n";

/* ---- the keys ---- */

struct keys {
	FILE *out;
	bool man, any;
};

static void key(const struct opt *o, void *arg)
{
	struct keys *k = arg;

	if (o->kind == OPT_HEADING || !o->name)
		return;
	if (k->man) {
		fputs(k->any ? ",\n" : "", k->out);
		help_text(k->out, o->name);
	} else {
		fprintf(k->out, "%s%s", k->any ? ", " : "  ", o->name);
	}
	k->any = true;
}

static void command(const struct command *c, const char *words, FILE *out, bool man)
{
	struct keys k = { out, man, false };

	/* not those that all commands have: they are about the file itself */
	if (c->spec && c->spec->groups) {
		fprintf(out, man ? ".TP\n\\fB[%s]\\fR\n" : "\n[%s]\n", words);
		opts_each(c->spec, key, &k);
		fputc('\n', out);
	}
	for (const struct command *const *s = c->sub; s && *s; s++) {
		cleanup_free char *more = xasprintf("%s%s%s", words, *words ? " " : "", (*s)->name);

		command(*s, more, out, man);
	}
}

void help_settings(FILE *out)
{
	for (const char *const *p = paragraphs; *p; p++) {
		size_t column = 0;

		for (const char *word = *p; *word;) {
			size_t len = strcspn(word, " ");

			if (column && column + len >= 79) {
				fputc('\n', out);
				column = 0;
			}
			fprintf(out, "%s%.*s", column ? " " : "", (int)len, word);
			column += len + (column != 0);
			word += len + (word[len] == ' ');
		}
		fputs("\n\n", out);
	}
	fprintf(out, "%s\nsections and keys:\n", example);
	command(&command_umlcage, "", out, false);
}

void help_settings_man(FILE *out)
{
	fprintf(out, ".TH \"UMLCAGE.CONF\" 5 \"\" \"umlcage %s\" \"File formats\"\n"
		".SH NAME\numlcage.conf \\- options of umlcage's commands, as a file\n.SH DESCRIPTION\n",
		UMLCAGE_VERSION);
	for (const char *const *p = paragraphs; *p; p++) {
		fputs(".PP\n", out);
		help_text(out, *p);
		fputc('\n', out);
	}
	fputs(".SH EXAMPLE\n.nf\n", out);
	for (const char *line = example; *line;) {
		size_t len = strcspn(line, "\n");
		cleanup_free char *text = xstrndup(line, len);

		help_text(out, text);
		fputc('\n', out);
		line += len + 1;
	}
	fputs(".fi\n.SH SECTIONS AND KEYS\nWhat each means is in the manual page of the command.\n", out);
	command(&command_umlcage, "", out, true);
	fputs(".SH FILES\n~/.config/umlcage/umlcage.conf\n.SH SEE ALSO\n\\fBumlcage\\fR(1)\n", out);
}

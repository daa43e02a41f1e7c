// SPDX-License-Identifier: GPL-2.0-or-later
/* Completion of shells from the tables of commands and options, see help.h. */
#include <errno.h>
#include <string.h>

#include "umlcage/cmd/help.h"

/* Calls @fn for every command that has options, with the words that lead to it. */
static void each(const struct command *c, const char *words,
		 void (*fn)(const struct command *c, const char *words, FILE *out), FILE *out)
{
	fn(c, words, out);
	for (const struct command *const *s = c->sub; s && *s; s++) {
		cleanup_free char *more = xasprintf("%s%s%s", words, *words ? " " : "", (*s)->name);

		each(*s, more, fn, out);
	}
}

/* ---- bash; zsh takes the same through bashcompinit ---- */

static void bash_option(const struct opt *o, void *arg)
{
	FILE *out = arg;

	if (o->kind == OPT_HEADING)
		return;
	if (o->name)
		fprintf(out, " --%s%s", o->name, o->arg && !o->optional_arg ? "=" : "");
	if (o->letter)
		fprintf(out, " -%c", o->letter);
}

static void bash_command(const struct command *c, const char *words, FILE *out)
{
	fprintf(out, "\t'%s') words='", words);
	for (const struct command *const *s = c->sub; s && *s; s++)
		fprintf(out, "%s ", (*s)->name);
	fputs("--help", out);
	if (c->spec)
		cmd_each_option(c->spec, bash_option, out);
	fputs("' ;;\n", out);
}

static void bash(FILE *out)
{
	fputs("# umlcage: completion for bash, made by 'umlcage help --completion=bash'\n"
	      "_umlcage()\n{\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} path= word words=\n"
	      "\tfor word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
	      "\t\tcase $word in -*) continue ;; esac\n"
	      "\t\tcase \" $(_umlcage_words \"$path\") \" in\n"
	      "\t\t*\" $word \"*) path=\"$path${path:+ }$word\" ;;\n"
	      "\t\t*) break ;;\n"
	      "\t\tesac\n"
	      "\tdone\n"
	      "\twords=$(_umlcage_words \"$path\")\n"
	      "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
	      "\t[[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null\n"
	      "\t[[ ${#COMPREPLY[@]} -gt 0 || $cur == -* ]] || COMPREPLY=($(compgen -f -- \"$cur\"))\n"
	      "}\n"
	      "_umlcage_words()\n{\n\tlocal words=\n\tcase $1 in\n", out);
	each(&command_umlcage, "", bash_command, out);
	fputs("\tesac\n\techo \"$words\"\n}\n"
	      "complete -o filenames -F _umlcage umlcage\n", out);
}

/* ---- fish ---- */

static void fish_text(const char *s, FILE *out)
{
	fputs(" -d '", out);
	for (; *s; s++)
		fprintf(out, *s == '\'' || *s == '\\' ? "\\%c" : "%c", *s);
	fputc('\'', out);
}

struct fish {
	FILE *out;
	const char *words;
};

/* The condition: these words, and no further one that is a command. */
static void fish_when(const char *words, FILE *out)
{
	fprintf(out, "complete -c umlcage -n '__fish_umlcage_at \"%s\"'", words);
}

static void fish_option(const struct opt *o, void *arg)
{
	const struct fish *f = arg;

	if (o->kind == OPT_HEADING)
		return;
	fish_when(f->words, f->out);
	if (o->name)
		fprintf(f->out, " -l %s", o->name);
	if (o->letter)
		fprintf(f->out, " -s %c", o->letter);
	if (o->arg && !o->optional_arg)
		fputs(" -r", f->out);
	fish_text(o->help, f->out);
	fputc('\n', f->out);
}

static void fish_command(const struct command *c, const char *words, FILE *out)
{
	struct fish f = { out, words };

	for (const struct command *const *s = c->sub; s && *s; s++) {
		fish_when(words, out);
		fprintf(out, " -f -a %s", (*s)->name);
		fish_text((*s)->help, out);
		fputc('\n', out);
	}
	if (c->spec)
		cmd_each_option(c->spec, fish_option, &f);
}

static void fish(FILE *out)
{
	fputs("# umlcage: completion for fish, made by 'umlcage help --completion=fish'\n"
	      "function __fish_umlcage_at\n"
	      "\tset -l words (string match -v -- '-*' (commandline -opc)[2..])\n"
	      "\tset -l want (string split -n ' ' -- $argv[1])\n"
	      "\ttest (count $want) -eq 0; and begin; test (count $words) -eq 0; return; end\n"
	      "\ttest \"$words[1..\"(count $want)\"]\" = \"$argv[1]\"\n"
	      "end\n", out);
	each(&command_umlcage, "", fish_command, out);
}

int help_completion(const char *shell, FILE *out, struct error *e)
{
	if (str_eq(shell, "bash")) {
		bash(out);
	} else if (str_eq(shell, "zsh")) {
		fputs("#compdef umlcage\nautoload -U +X bashcompinit && bashcompinit\n", out);
		bash(out);
	} else if (str_eq(shell, "fish")) {
		fish(out);
	} else {
		return err_usage(e, "there is no completion for '%s'; there are bash, zsh, fish", shell);
	}
	return 0;
}

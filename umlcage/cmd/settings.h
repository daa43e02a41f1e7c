/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * umlcage.conf: options of commands as a file of settings (base/ini.h).  A section is a command's,
 * [run] or [session start]; [all] is for every command that has such an option; [@NAME] is a
 * profile, taken where the command line says @NAME.  What is said later counts: [all], the
 * command's own, profiles, then the command line; lists become longer.
 */
#ifndef UMLCAGE_CMD_SETTINGS_H
#define UMLCAGE_CMD_SETTINGS_H

#include "umlcage/base/ini.h"
#include "umlcage/base/opts.h"

#define SETTINGS_ALL "all"
#define SETTINGS_FILE "umlcage.conf"
/* Names another file, or, empty, none: how --config reaches the programs that this one starts. */
#define SETTINGS_VARIABLE "UMLCAGE_CONFIG"

/* --config and its like, which every command has. */
struct settings_options {
	const char *file;
	bool none, print;
};

extern const struct opt settings_opts[];

/* What was set, by whom: for --print-config. */
struct settings_seen {
	const struct opt *opt;
	char *value;		/* NULL: it takes none */
	char *origin;		/* "FILE:LINE", or NULL for the command line */
};

struct settings {
	const struct opt_spec *spec;
	const char *section;	/* of the command */
	void *values;
	struct settings_seen *seen;
	size_t nseen;
};

/*
 * "[SECTION]" and the keys that it may have, then the next, and so on; NULL ends it.  From the
 * tables of options where a program has all (settings-known.c); elsewhere text that is made of them
 * when umlcage is built.
 */
const char *const *settings_known(void);

/*
 * Reads the file that @o or the environment names, or the user's own, and sets from it what is
 * said for the command and for @profiles.  All of the file is checked: unknown sections and keys
 * are usage errors, with their line.  Strings live as long as the program.
 */
int settings_apply(struct settings *s, const struct settings_options *o, const struct strv *profiles,
		   struct error *e);
/* Notes an option of the command line; for opt_spec.seen, with the struct as its argument. */
void settings_note(const struct opt *opt, const char *arg, void *settings);
/* As a file for --config, with where each value comes from. */
void settings_print(const struct settings *s, FILE *out);
void settings_release(struct settings *s);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is made from the tables of commands and options: manual pages, completion. */
#ifndef UMLCAGE_CMD_HELP_H
#define UMLCAGE_CMD_HELP_H

#include "umlcage/cmd/cmd.h"

/* The manual page (man(7)) of @c, whose full name is @full: "umlcage run". */
void help_man(const struct command *c, const char *full, FILE *out);
/* A script for @shell ("bash", "zsh", "fish"); -EINVAL for another one. */
int help_completion(const char *shell, FILE *out, struct error *e);
/* What umlcage.conf may have in it: for people, and as a manual page. */
void help_settings(FILE *out);
void help_settings_man(FILE *out);
/* Text for troff(1): its own characters escaped, a line break for each newline. */
void help_text(FILE *out, const char *s);
/* What the exit statuses mean, for people. */
void help_exit_status(FILE *out);

struct help_status {
	int status;
	const char *meaning;
};
/* The statuses of every command, ends with a NULL meaning. */
extern const struct help_status help_statuses[];

#endif

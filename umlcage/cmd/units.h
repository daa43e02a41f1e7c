/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Units of the user's own systemd (systemd.unit(5)), in their folder of the user's settings. */
#ifndef UMLCAGE_CMD_UNITS_H
#define UMLCAGE_CMD_UNITS_H

#include "umlcage/base/error.h"
#include "umlcage/base/str.h"

/* The program as a unit will find it: umlcage beside libexec, or the one that is installed. */
int unit_program(char **path, struct error *e);
/* Where the unit @name is or would be, its folder made; malloc'ed. */
int unit_path(const char *name, char **path, struct error *e);
/* Adds a blank and the word as systemd splits them: in double quotes, with '%' and '$' twice. */
void unit_add_word(struct strbuf *sb, const char *word);
int unit_write(const char *name, const char *ending, const char *text, struct error *e);
/* systemctl --user with so many words, NULL after the last one: its exit status, -1: it is not there. */
int unit_systemctl(const char *a, const char *b, const char *c);

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
/* All sections and keys of umlcage.conf, from the tables of all commands: see settings.h. */
#include <string.h>

#include "umlcage/cmd/cmd.h"
#include "umlcage/cmd/settings.h"

static struct strv known;

static void add_key(const struct opt *o, void *arg)
{
	(void)arg;
	if (o->kind != OPT_HEADING && o->name)
		strv_add(&known, o->name);
}

static void add_command(const struct command *c, const char *full)
{
	if (c->spec) {
		strv_addf(&known, "[%s]", full);
		opts_each(c->spec, add_key, NULL);
	}
	for (const struct command *const *s = c->sub; s && *s; s++) {
		cleanup_free char *name = xasprintf("%s%s%s", full, *full ? " " : "", (*s)->name);

		add_command(*s, name);
	}
}

const char *const *settings_known(void)
{
	if (!known.n)
		add_command(&command_umlcage, "");
	return (const char *const *)strv_argv(&known);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel configuration fragments (Documentation/kbuild/kconfig-language.rst has
 * the symbols; the syntax is that of .config):
 *
 *	CONFIG_X=y | CONFIG_X=64 | CONFIG_X="text"
 *	# CONFIG_X is not set
 *	# any other comment
 *	#? < 7.3		the lines up to the next empty one are only for
 *				sources older than this (also: >=)
 */
#ifndef KERNEL_CONFIG_CONFIG_H
#define KERNEL_CONFIG_CONFIG_H

#include <stddef.h>

#include "umlcage/base/error.h"
#include "umlcage/base/str.h"

struct config_symbol {
	char *name;		/* with CONFIG_ */
	char *value;		/* as written; "n" for "is not set" */
	const char *file;	/* of the fragment that had the last word; owned by the config */
	unsigned int line;
};

struct config {
	struct config_symbol *v;
	size_t n, cap;
	struct strv files;
};

#define CONFIG_INIT { NULL, 0, 0, STRV_INIT }

/*
 * Adds the symbols that @text sets for a source of @version ("7.3.4"; NULL: all of
 * them); a later value replaces an earlier one.  @name is for messages.  A line
 * that is neither is a usage error "name:line: …".
 */
int config_parse(struct config *c, const char *text, const char *name, const char *version,
		 struct error *e);
/* What is wanted, for KCONFIG_ALLCONFIG; appended to @out. */
void config_text(const struct config *c, struct strbuf *out);
/*
 * Looks for every symbol of @wanted in @dotconfig, a finished .config.  0, or
 * -EINVAL with an error that names each lost one, its fragment and what became of it.
 */
int config_check(const struct config *wanted, const char *dotconfig, struct error *e);
void config_release(struct config *c);
#define cleanup_config __attribute__((cleanup(config_release)))

/* Compares dotted versions number by number: "7.2.12" < "7.10" < "7.10.1". */
int version_compare(const char *a, const char *b);

#endif

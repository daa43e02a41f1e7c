/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of settings: sections of keys and values, as entries in the order of the file, each with
 * its line, so that whoever does not know a key can say where it is.  A key may be given more
 * than once.  (GLib's GKeyFile knows neither lines nor repeated keys.)
 *
 *	# a comment; so is a line that begins with ';'
 *	[section]
 *	key = value
 *	other = a value that goes on
 *	    on lines that begin with a blank, joined by newlines
 *
 * Blanks around names and values do not count; a value is otherwise taken as it stands, without
 * quotes or escapes.
 */
#ifndef UMLCAGE_BASE_INI_H
#define UMLCAGE_BASE_INI_H

#include <stdbool.h>
#include <stddef.h>

#include "umlcage/base/error.h"

struct ini_entry {
	const char *section;	/* "" before the first one */
	const char *key;	/* NULL: the section begins here */
	const char *value;	/* may be empty, never NULL for a key */
	unsigned int line;	/* from 1 */
};

struct ini {
	char *name;		/* of the file, for messages */
	struct ini_entry *v;
	size_t n;
	char *text;		/* what all strings point into */
};

#define INI_INIT { NULL, NULL, 0, NULL }

enum { INI_MAX = 1 << 20 };	/* bytes of a file */

/*
 * Reads the file @path (relative to @dirfd, AT_FDCWD for the current folder).  -ENOENT and so on;
 * -EFBIG; usage errors with file and line for what is not of this form.
 */
int ini_read(struct ini *ini, int dirfd, const char *path, struct error *e);
/* The same from @len bytes of @text, which stay the caller's; @name is for messages. */
int ini_parse(struct ini *ini, const char *name, const char *text, size_t len, struct error *e);
/* A usage error that begins with the file and the line of @entry.  -EINVAL. */
int ini_error(const struct ini *ini, const struct ini_entry *entry, struct error *e,
	      const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Whether @value is one of yes, true, on, 1 or no, false, off, 0.  -EINVAL for anything else. */
int ini_bool(const char *value, bool *out);
void ini_release(struct ini *ini);
#define cleanup_ini __attribute__((cleanup(ini_release)))

#endif

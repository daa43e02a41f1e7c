/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reader for the stanzas of Debian control files (deb822(5)): Packages, Release,
 * *.sources, DEBIAN/control.  One stanza at a time from a descriptor or from
 * memory, so that an index of 50 MB needs no more room than its largest stanza.
 */
#ifndef ROOTFS_DEB822_H
#define ROOTFS_DEB822_H

#include <stdbool.h>
#include <stddef.h>

#include "umlcage/base/error.h"
#include "umlcage/base/str.h"

struct deb822_field {
	size_t name, value;	/* offsets from the start of the stanza */
	size_t name_len, value_len;
};

struct deb822 {
	int fd;			/* -1: from memory, or at the end of the file */
	char *name;		/* for messages */
	unsigned int line;	/* of what was read last, from 1 */
	struct strbuf buf;
	size_t start, pos;	/* of the stanza, of what is not yet read */
	struct deb822_field *fields;
	size_t n, cap;
};

#define DEB822_INIT { .fd = -1 }

/* Reads @fd, which stays the caller's, from where it stands.  @name is copied. */
void deb822_init_fd(struct deb822 *d, int fd, const char *name);
/* Reads a copy of @data. */
void deb822_init_mem(struct deb822 *d, const void *data, size_t len, const char *name);
/*
 * Goes to the next stanza: 1, or 0 at the end, or -EBADMSG with the name and the
 * line for text that is no control file (also: a NUL byte, a stanza of more than
 * 64 MiB), or what read() failed with.  Comment lines ('#') are left out.
 */
int deb822_next(struct deb822 *d, struct error *e);
/*
 * The value of a field of this stanza, NULL if absent; names ignore case, of two
 * equal names the last counts, as in apt.  Without blanks at its ends; the lines of a
 * value of several are as they stand, each after the first begins with a blank.
 * Valid until the next deb822_next().
 */
const char *deb822_get(const struct deb822 *d, const char *field);
void deb822_release(struct deb822 *d);
#define cleanup_deb822 __attribute__((cleanup(deb822_release)))

/* ---- the same in place: line.c ---- */

struct deb822_line {
	const char *name, *value;	/* not terminated; the value may be of several lines */
	size_t name_len, value_len;
};

/*
 * The next field of the stanza at *@p, whose text ends at @end at the latest, and *@p behind
 * it; false at the stanza's end.  A line that is no field is passed over.
 */
bool deb822_line(const char **p, const char *end, struct deb822_line *l);
bool deb822_line_is(const struct deb822_line *l, const char *field);
/* Appends the value as one line: without newlines, and with one blank for each. */
void deb822_unfold(const struct deb822_line *l, struct strbuf *out);
/* Fills @out with a field of the stanza, in one line; of two equal names the last.  False if
 * absent. */
bool deb822_find(const char *stanza, const char *end, const char *field, struct strbuf *out);

/*
 * Compares two versions as dpkg does (deb-version(7)): <0, 0, >0.  Any text is
 * accepted; a missing epoch or revision counts as zero.
 */
int deb_version_cmp(const char *a, const char *b);

#endif

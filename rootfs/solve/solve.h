/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which packages, in which order: what apt would install on an empty system, and the calls of
 * dpkg it would make.
 *
 *	s = solve_new(&config);
 *	solve_add_index(s, &index, e); ... solve_add_deb(s, fd, path, e); ...
 *	solve_finish(s, e);
 *	solve_select(s, "nginx", &set, e); solve_install(s, &set, e);
 *	solve_order(s, &actions, &n, e); solve_describe(s, actions[i].version, &v);
 *	solve_commit(s);			for a second stage on top
 *
 * Indexes and packages are bytes from others, and libsolv was not written for those who mean
 * harm: what it gets are fields that are known, of a known form and size, and all of this is to
 * run in a worker (umlcage/base/worker.h).
 */
#ifndef ROOTFS_SOLVE_H
#define ROOTFS_SOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "umlcage/base/error.h"

struct solve;
struct solve_pkg;

struct solve_config {
	const char *arch;	/* "amd64"; "all" counts, too */
	/* others that packages may be of, as NAME:ARCH and for what these need; NULL: none */
	const char *const *foreign;
	bool recommends, suggests;	/* are installed as well */
};

enum solve_priority {	/* as pkgCache::State::VerPriority */
	SOLVE_PRIO_NONE, SOLVE_REQUIRED, SOLVE_IMPORTANT, SOLVE_STANDARD, SOLVE_OPTIONAL,
	SOLVE_EXTRA,
};

/* Has the libraries loaded that all of this needs: after it no file is opened here. */
void solve_load(void);
struct solve *solve_new(const struct solve_config *config);
void solve_free(struct solve *s);	/* NULL is fine */

/* A decompressed Packages file.  The strings are the caller's and must last. */
struct solve_source {
	int fd;
	const char *path;	/* for messages */
	const char *suite;	/* as in the sources */
	const char *name, *codename;	/* Suite and Codename of the Release file; may be NULL */
	int pin;		/* apt's priority: 500, 100, 1, ... */
	bool installed;		/* dpkg's status instead: these are there, and stay as they are */
};

/*
 * What is installed comes last, as it does not count among the indexes of an answer.
 * Stanzas that make no sense are left out; -EBADMSG for what cannot be read at all.
 */
int solve_add_index(struct solve *s, const struct solve_source *source, struct error *e);
/* A package file, open at offset 0; it is selected by @path. */
int solve_add_deb(struct solve *s, int fd, const char *path, struct error *e);
/* After the last addition: packages, candidates, order of mention. */
int solve_finish(struct solve *s, struct error *e);

/* ---- what to install ---- */

struct solve_set {
	struct solve_pkg **v;
	size_t n, cap;
};
#define SOLVE_SET_INIT { NULL, 0, 0 }
void solve_set_release(struct solve_set *set);

/*
 * Adds what one argument of apt-get install means: a name, name=version, name/suite, a
 * task^, a glob, a pattern (apt-patterns(7)), a path added with solve_add_deb().  A usage error
 * if there is no such thing.
 */
int solve_select(struct solve *s, const char *arg, struct solve_set *set, struct error *e);
/* The first and second pattern of mmdebstrap: see mmdebstrap's run_download, run_install. */
void solve_select_essential(struct solve *s, const char *suite, struct solve_set *set);
void solve_select_priority(struct solve *s, const char *suite, enum solve_priority least,
			   struct solve_set *set);

/* Marks @set (with their candidates) as apt-get install would; a usage error with the reason in
 * words if they cannot be installed together. */
int solve_install(struct solve *s, const struct solve_set *set, struct error *e);
/* What is marked becomes what is there already. */
void solve_commit(struct solve *s);

/* ---- in which order ---- */

enum solve_op { SOLVE_UNPACK, SOLVE_CONFIGURE };
struct solve_action {
	enum solve_op op;
	int version;		/* below solve_versions() */
};
/* apt's order for what is marked; malloc'ed into *@out. */
int solve_order(struct solve *s, struct solve_action **out, size_t *n, struct error *e);
size_t solve_versions(const struct solve *s);

/* Where a version is from. */
struct solve_version {
	bool local;		/* a package file */
	size_t source;		/* how many indexes, or package files, were added before its own */
	uint64_t offset;	/* of the stanza in the index */
	const char *name, *version, *arch;
	bool essential;		/* any version of the package is */
	bool required;		/* its priority */
	bool automatic;		/* not asked for by name */
};
void solve_describe(const struct solve *s, int version, struct solve_version *v);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What fabricate was asked for: mmdebstrap's vocabulary as typed records, with
 * no side effects.  Filled by the commands, read by everything below it.
 */
#ifndef ROOTFS_OPTIONS_H
#define ROOTFS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hostfs-bridge/target/target.h"
#include "umlcage/base/error.h"
#include "umlcage/base/str.h"

enum fab_variant {
	FAB_EXTRACT,	/* only unpack --include and its dependencies */
	FAB_CUSTOM,	/* the same, installed with dpkg --install */
	FAB_ESSENTIAL,
	FAB_APT,
	FAB_REQUIRED,	/* alias minbase */
	FAB_BUILDD,
	FAB_IMPORTANT,	/* alias debootstrap, "-"; the default */
	FAB_STANDARD,
};

enum fab_hook_when {
	FAB_HOOK_SETUP,		/* before anything is unpacked */
	FAB_HOOK_EXTRACT,	/* the essential packages are unpacked, not installed */
	FAB_HOOK_ESSENTIAL,	/* they are installed */
	FAB_HOOK_CUSTOMIZE,	/* everything is */
	FAB_HOOK_WHEN_MAX,
};

struct fab_hook {
	char *script;	/* as on the command line */
	bool chrooted;	/* --chrooted-X-hook: run inside the new root, without $1 */
};

struct fab_hooks {
	struct fab_hook *v;
	size_t n;
};

/* One file of apt's sources for the new root, as mmdebstrap names and fills it. */
struct fab_sources_file {
	char *path;	/* "etc/apt/sources.list" or "etc/apt/sources.list.d/0001main.list" */
	char *content;
	bool deb822;
};

/* apt's configuration: full names ("Acquire::http::Proxy"; "X::" is an item of a list). */
struct fab_aptconf_item {
	char *name, *value;
};

struct fab_aptconf {
	struct fab_aptconf_item *v;
	size_t n;
};

struct fab_options {
	char *suite;		/* NULL: none given, sources came from stdin; "": of any suite */
	char *target;		/* "-" for standard output */
	char *format;		/* as --format has it; NULL: by the target's name */
	struct target_details details;	/* of an image */
	struct target out;	/* all this, parsed and checked by fab_options_resolve() */
	enum fab_variant variant;
	struct strv include;	/* split, in order; files as absolute paths; patterns whole */
	struct strv components;	/* default "main" */
	struct strv architectures;	/* native first */
	struct strv mirrors;	/* the MIRROR operands as typed */
	struct strv aptopts, dpkgopts;	/* as typed: text or the name of a readable file */
	const char *installed;		/* dpkg's status of what setup hooks installed; NULL: nothing */
	char *apt_text, *dpkg_text;	/* made from them, as 99mmdebstrap has it; NULL: none */
	struct fab_aptconf apt;		/* what apt_text says */
	struct strv keyrings;	/* absolute paths of files or directories */
	struct strv skip;
	struct fab_hooks hooks[FAB_HOOK_WHEN_MAX];
	struct fab_sources_file *sources;	/* made from the mirrors */
	size_t nsources;
	char *logfile;		/* NULL: none */
	char *package_list;	/* a file for the packages and where they were from; NULL: none */
	struct strv warnings;	/* about what was given; for the command to show */
	bool simulate;
	bool no_valid_until;	/* take an expired Release file */
	const char *snapshot;	/* the time that packages are of, as the service has it; NULL: now */
	const char *snapshots;	/* the address of that service */
	bool cache_keys;	/* keep finished trees also if they hold keys made for them alone */
	bool no_cache;		/* neither answer from nor store finished trees */
	int64_t source_date_epoch;	/* from the environment; -1: unset */
	unsigned int jobs;	/* unpack workers; 0: as many as processors */
	bool net;		/* the machine's network for scripts of packages; hooks have it */
};

void fab_options_init(struct fab_options *o);
void fab_options_release(struct fab_options *o);

/* Does --skip name @what ("cleanup/apt/lists") or a parent of it ("cleanup")? */
bool fab_skips(const struct fab_options *o, const char *what);

int fab_variant_parse(const char *name, enum fab_variant *variant);	/* 0 or -EINVAL */
const char *fab_variant_name(enum fab_variant variant);

/* Single arguments, each a usage error with the nearest word if it is not known. */
int fab_options_variant(struct fab_options *o, const char *arg, struct error *e);
/* Adds the steps of a --skip, separated by commas and blanks. */
int fab_options_skip(struct fab_options *o, const char *arg, struct error *e);
/* mmdebstrap's ways to become root, none of which is needed: only checked. */
int fab_options_mode(const char *arg, struct error *e);
/* A file or a directory with keys. */
int fab_options_keyring(struct fab_options *o, const char *arg, struct error *e);

/* Adds a --include argument: splits at commas and blanks unless it is a pattern or a path. */
int fab_options_include(struct fab_options *o, const char *arg, struct error *e);
/* Adds the hooks of a --hook-directory. */
int fab_options_hook_directory(struct fab_options *o, const char *dir, struct error *e);
/* The caller's variables that hooks get, "NAME=VALUE", sorted: environment.c. */
void fab_hook_environment(struct strv *env);
void fab_options_add_hook(struct fab_options *o, enum fab_hook_when when, bool chrooted,
			  const char *script);
/*
 * Completes the options once all are given: defaults, the native architecture,
 * the text of apt's options and what it says of expired Release files, the sources
 * from mirrors, UMLCAGE_MIRROR or the host's own apt sources (and standard input
 * where asked for), and the target, which is checked here.
 */
int fab_options_resolve(struct fab_options *o, struct progress *progress, struct error *e);

/*
 * The options of dpkg_text that filter paths, as "path-exclude=PATTERN" and
 * "path-include=PATTERN", in order; dpkg.cfg's other spellings ("path-exclude PATTERN",
 * quotes) are taken, too.
 */
void fab_options_filters(const struct fab_options *o, struct strv *filters);

/* ---- apt.conf(5): aptconf.c ---- */

/*
 * Adds what @text says to @c; @where names it in messages.  The whole language: blocks,
 * lists, comments, #clear, #include of files.  -EINVAL as a usage error with the line where
 * apt would not read on, and where it would, but without any effect: a word alone.
 */
int fab_aptconf_parse(struct fab_aptconf *c, const char *where, const char *text,
		      struct error *e);
void fab_aptconf_release(struct fab_aptconf *c);
/* The value of "A::B", in any case of letters; NULL: not set or empty. */
const char *fab_aptconf_value(const struct fab_aptconf *c, const char *name);
/* The same as a yes or no: 1, 0; -1: not set, or neither. */
int fab_aptconf_flag(const struct fab_aptconf *c, const char *name);
/* The same as a number from 0 to INT_MAX, read as apt does; @otherwise: not set, or none. */
unsigned int fab_aptconf_number(const struct fab_aptconf *c, const char *name, unsigned int otherwise);
/* Is that, or anything below it, set? */
bool fab_aptconf_has(const struct fab_aptconf *c, const char *name);
/*
 * The proxy for @url by Acquire::SCHEME::Proxy, ::Proxy::HOST before it, http's for https:
 * malloc'ed; "" for none ("DIRECT"); NULL: nothing is said, the environment decides.
 */
char *fab_aptconf_proxy(const struct fab_aptconf *c, const char *url);

/* ---- apt's sources: sources.c ---- */

/* Fills o->sources from the mirrors, or where there are none, from the host's. */
int fab_resolve_sources(struct fab_options *o, struct progress *progress, struct error *e);

#endif

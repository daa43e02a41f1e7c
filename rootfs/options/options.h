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

enum fab_format {
	FAB_FORMAT_AUTO,	/* only before fab_options_resolve() */
	FAB_FORMAT_DIRECTORY,	/* a share */
	FAB_FORMAT_TAR,		/* compressed after the name's ending */
	FAB_FORMAT_CPIO,	/* likewise */
	FAB_FORMAT_NULL,
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

struct fab_options {
	char *suite;		/* NULL: none given, sources came from stdin */
	char *target;		/* "-" for standard output */
	enum fab_format format;	/* resolved: never AUTO */
	enum fab_variant variant;
	struct strv include;	/* split, in order; files as absolute paths; patterns whole */
	struct strv components;	/* default "main" */
	struct strv architectures;	/* native first */
	struct strv mirrors;	/* the MIRROR operands as typed */
	struct strv aptopts, dpkgopts;	/* as typed: text or the name of a readable file */
	char *aptconf;		/* made from aptopts: all of them, files read; NULL: none */
	struct strv keyrings;	/* absolute paths of files or directories */
	struct strv skip;
	struct fab_hooks hooks[FAB_HOOK_WHEN_MAX];
	struct fab_sources_file *sources;	/* made from the mirrors */
	size_t nsources;
	char *logfile;		/* NULL: none */
	bool simulate;
	bool no_valid_until;	/* take an expired Release file */
	bool no_cache;		/* neither answer from nor store finished trees */
	int64_t source_date_epoch;	/* from the environment; -1: unset */
	unsigned int jobs;	/* unpack workers; 0: as many as processors */
	bool net;		/* the user's network inside the cage for hooks */
};

void fab_options_init(struct fab_options *o);
void fab_options_release(struct fab_options *o);

/* Does --skip name @what ("cleanup/apt/lists") or a parent of it ("cleanup")? */
bool fab_skips(const struct fab_options *o, const char *what);

int fab_variant_parse(const char *name, enum fab_variant *variant);	/* 0 or -EINVAL */
const char *fab_variant_name(enum fab_variant variant);

/* Adds a --include argument: splits at commas and blanks unless it is a pattern or a path. */
int fab_options_include(struct fab_options *o, const char *arg, struct error *e);
/* Adds the hooks of a --hook-directory. */
int fab_options_hook_directory(struct fab_options *o, const char *dir, struct error *e);
void fab_options_add_hook(struct fab_options *o, enum fab_hook_when when, bool chrooted,
			  const char *script);
/* o->format from o->target where it is AUTO: mmdebstrap's guess from the name, plus cpio. */
int fab_options_format(struct fab_options *o, struct error *e);
/*
 * Completes the options once all are given: defaults, the native architecture,
 * the text of apt's options and what it says of expired Release files, the sources
 * from mirrors, UMLCAGE_MIRROR or the host's own apt sources (and standard input
 * where asked for), the format from the target's name.
 */
int fab_options_resolve(struct fab_options *o, struct error *e);

/* ---- apt.conf text: aptconf.c ---- */

/*
 * The value of @option ("APT::Install-Recommends") in apt.conf text: 1, 0, or -1
 * where the text does not set it.  Only the flat form is read, not nested blocks.
 */
int fab_aptconf_flag(const char *text, const char *option);
/* The same as text; malloc'ed, NULL where it is not set. */
char *fab_aptconf_value(const char *text, const char *option);
/* All of --aptopt, files read; malloc'ed, NULL where there is none. */
char *fab_aptopts_text(const struct fab_options *o);

/* ---- apt's sources: sources.c ---- */


/* Fills o->sources from the mirrors, or where there are none, from the host's. */
int fab_resolve_sources(struct fab_options *o, struct error *e);

#endif

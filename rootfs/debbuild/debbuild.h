/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Building a Debian package, as sbuild does it: the source is fetched and verified, build
 * dependencies are chosen and fetched natively, and then all of it happens in a throwaway cage
 * over a root of the cache: they are installed, and dpkg-buildpackage runs as a user without
 * rights, at a path that is always the same, without a network.
 *
 *	struct debbuild b = DEBBUILD_INIT;
 *	fab_options_init(&b.fab); ... the options fill b ...
 *	debbuild_run(&b, "hello", &progress, &result, e);
 *	debbuild_release(&b); debbuild_result_release(&result);
 *
 * What comes out appears in the output folder when all of it is there and verified against the
 * .changes, which comes last; a file of another's making with that name is an error before the
 * build where it can be foreseen, and never overwritten.  The log and a record of what happened
 * (JSON) are there after a failure, too.
 *
 * Sources: Debian Policy 4 and 7, deb-src-control(5), dsc(5), deb-changes(5), sbuild(1).
 */
#ifndef ROOTFS_DEBBUILD_H
#define ROOTFS_DEBBUILD_H

#include "rootfs/debian/debian.h"
#include "rootfs/options/options.h"
#include "umlcage/base/error.h"
#include "umlcage/base/opts.h"
#include "umlcage/base/progress.h"
#include "umlcage/machine/machine.h"

/* What is built, in dpkg-buildpackage's words. */
enum debbuild_type {
	BUILD_SOURCE = 1,	/* the source package, once more */
	BUILD_ANY = 2,		/* packages for this architecture */
	BUILD_ALL = 4,		/* packages for all architectures */
	BUILD_BINARY = BUILD_ANY | BUILD_ALL,
	BUILD_FULL = BUILD_BINARY | BUILD_SOURCE,
};

struct debbuild {
	struct fab_options fab;		/* suite, mirrors, components, keyrings of the archive */
	struct machine machine;		/* checked by the caller */
	const char *output;		/* a folder, made if need be; NULL: see below */
	const char *root;		/* instead of one of the cache: a share, as of --root */
	unsigned int jobs;		/* at a time; 0: as many as the machine has processors */
	unsigned int types;		/* enum debbuild_type; 0: BUILD_BINARY, of a binNMU BUILD_ANY */
	bool arch_only, indep;		/* the same as BUILD_ANY alone, BUILD_ALL alone */
	const char *arch;		/* that packages are built for, and by; NULL: this machine's */
	unsigned int binnmu;		/* the number of a binary-only upload; 0: it is none */
	const char *binnmu_why;		/* what its changelog says */
	const char *append;		/* to the version; NULL */
	const char *maintainer;		/* who signs such changelogs: "NAME <ADDRESS>" */
	bool nocheck;			/* profile and option */
	bool net;			/* the build may reach the network that the machine has */
	bool overwrite;			/* what is in the way in the output folder */
	bool memory_scratch;		/* changes go to the cage's memory, not to the disk */
	struct strv profiles;
	struct strv extra;		/* package files that dependencies may be met by */
};

#define DEBBUILD_INIT { .machine = MACHINE_INIT }

/* Of struct debbuild, but for fab and machine: what is built, and how. */
extern const struct opt debbuild_what_opts[], debbuild_opts[];

/* In which step a build is, or failed. */
enum debbuild_step {
	DEBBUILD_SOURCE,	/* the source is found, fetched, verified */
	DEBBUILD_ROOT,		/* the root that it is built in */
	DEBBUILD_DEPENDENCIES,	/* build dependencies are chosen and fetched */
	DEBBUILD_INSTALL,	/* the cage is set up, and they are installed in it */
	DEBBUILD_UNPACK,	/* dpkg-source */
	DEBBUILD_BUILD,		/* dpkg-buildpackage */
	DEBBUILD_RESULTS,	/* what it made is verified and handed over */
	DEBBUILD_DONE,
	DEBBUILD_STEPS,
};

struct debbuild_result {
	enum debbuild_step step;	/* DEBBUILD_DONE, or where it failed */
	char *why;			/* NULL after success */
	char *source, *version, *suite, *distribution;	/* NULL where that is not known yet */
	char *built;			/* the version of what is built */
	char *architecture;
	char *folder, *log, *record;	/* paths; NULL: not begun, not written */
	struct debian_files files;	/* in the folder */
	struct strv installed;		/* "NAME VERSION ARCHITECTURE" of what was installed for it */
	bool compared;			/* with a .buildinfo */
	struct strv differ;		/* packages that are not the same */
	int64_t milliseconds[DEBBUILD_STEPS];	/* that each took; of the last one: all of it */
	int64_t began;			/* seconds since the epoch */
};

/*
 * Builds @what: a .dsc file, a folder with a source tree, or NAME or NAME=VERSION of the archive.
 * @result is filled as far as it came, also on failure.  Errors by kind: ERR_BUILD the package's
 * own build failed, ERR_PACKAGES its dependencies cannot be had or installed, and what
 * debian_archive_update(), fabricate_run() and cage_start() have.
 * Without an output folder it is the current one, or that which the source tree is in, if the
 * current one is that.
 */
int debbuild_run(struct debbuild *b, const char *what, struct progress *progress,
		 struct debbuild_result *result, struct error *e);
/*
 * Builds what the .buildinfo at @path is of once more: the same source, with the same packages
 * in the same versions, at the same place; and compares what comes of it.  ERR_PACKAGES where a
 * version cannot be had any more, -EBADMSG and ERR_OTHER for packages that are not the same.
 * Without an output folder it is 'rebuilt' in the current one.
 */
int debbuild_again(struct debbuild *b, const char *path, struct progress *progress,
		   struct debbuild_result *result, struct error *e);
void debbuild_release(struct debbuild *b);

/* The record: one JSON object; malloc'ed. */
char *debbuild_json(const struct debbuild_result *r);
/* As sbuild says it: "successful", "attempted" (the build failed), "given-back" (dependencies),
 * "failed". */
const char *debbuild_status(const struct debbuild_result *r);
void debbuild_result_release(struct debbuild_result *r);

/* ---- what files of others say of their source: source.c ---- */

/*
 * The source of the .changes or .buildinfo @path, whose fields are @d: "NAME", or "NAME (VERSION)"
 * where packages have another version.  -EINVAL as a usage error unless both may become parts of
 * paths and arguments.  malloc'ed, also after an error.
 */
int debbuild_source_of(const struct deb822 *d, const char *path, char **name, char **version,
		       struct error *e);
/* The .dsc of that source in the folder of @path; malloc'ed, NULL if there is none. */
char *debbuild_dsc_beside(const char *path, const char *name, const char *version);

#endif

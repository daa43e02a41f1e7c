/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plan of a fabrication: which packages, from where, in which order, and
 * the steps by which mmdebstrap would have dpkg install them.  Pure data; made
 * by plan_make(), carried out by fabricate_run().
 */
#ifndef ROOTFS_PLAN_H
#define ROOTFS_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rootfs/debian/debian.h"
#include "rootfs/options/options.h"
#include "umlcage/base/error.h"
#include "umlcage/base/hash.h"
#include "umlcage/base/progress.h"

struct plan_package {
	char *name, *version, *arch;	/* "libc6", "2.36-9+deb12u10", "amd64" or "all" */
	char *section, *priority;	/* "" where the index has none */
	char *uri;	/* what path is relative to (debian_index.base); NULL: a local file */
	char *path;	/* the index's Filename field; an absolute path of a local file */
	uint64_t size;			/* bytes of the .deb */
	uint64_t installed_kb;		/* Installed-Size, 0 if the index has none */
	char sum[SUM_HEX + 1];	/* sha256, or sha512 if the index has no other; of a file computed */
	bool essential;		/* Essential: yes */
	bool required;		/* Priority: required */
	bool base_stage;	/* of mmdebstrap's first stage: extracted, then dpkg --install */
	bool auto_installed;	/* apt's extended_states has Auto-Installed: 1 */
};

/*
 * The calls of dpkg, in order.  mmdebstrap's first stage is one PLAN_INSTALL
 * (all is first extracted with tar, then `dpkg --install --force-depends`);
 * its second stage is apt's sequence of UNPACK and CONFIGURE.
 */
enum plan_step_kind {
	PLAN_INSTALL,		/* dpkg --install --force-depends PKGS (only base stage) */
	PLAN_UNPACK,		/* dpkg --unpack PKGS */
	PLAN_CONFIGURE,		/* dpkg --configure PKGS */
	PLAN_CONFIGURE_PENDING,	/* dpkg --configure --pending; no packages listed */
};

struct plan_step {
	enum plan_step_kind kind;
	size_t *pkgs;	/* indexes into plan.packages */
	size_t n;
};

struct plan {
	struct plan_package *packages;	/* in the order of their unpacking, base stage first */
	size_t n;
	size_t nbase;			/* how many of them are base stage */
	struct plan_step *steps;
	size_t nsteps;
	uint64_t download_bytes;	/* of all packages that are not local files */
	uint64_t installed_kb;
};

#define PLAN_INIT { 0 }

/* Opens the archive session for @o's sources, keyrings and architectures. */
int plan_open_archive(const struct fab_options *o, struct progress *progress,
		      struct debian_archive **a, struct error *e);
/* The same with the Sources files. */
int plan_open_sources(const struct fab_options *o, struct progress *progress,
		      struct debian_archive **a, struct error *e);
/*
 * Chooses from the indexes of @a (after debian_archive_update(), which makes an older plan
 * stale), in a confined process.  An unsatisfiable request is -EINVAL, a usage error with the
 * reason in words.
 */
int plan_make(const struct fab_options *o, struct debian_archive *a, struct progress *progress,
	      struct plan *plan, struct error *e);
/*
 * What apt-get would install, without what is only recommended, so that @control, the stanza of
 * a package @name that is none, had its Depends, and nothing that it conflicts with: how
 * sbuild has apt choose build dependencies.  @status is dpkg's of what is there, which stays;
 * @debs are package files that may be chosen beside what the indexes have.  The package itself
 * is not in the plan.  Errors as of plan_make().
 */
struct plan_wish {
	const char *name, *control, *status;
	const struct strv *debs;	/* absolute paths; NULL: none */
};
int plan_dependencies(const struct plan_wish *wish, const struct fab_options *o,
		      struct debian_archive *a, struct progress *progress, struct plan *plan,
		      struct error *e);
void plan_release(struct plan *plan);

/* The plan as `--simulate` prints it, one line a package; malloc'ed. */
char *plan_text(const struct plan *plan);

/* The file's name in apt's archives: "libc6_2.36-9_amd64.deb", ":" as %3a; malloc'ed. */
char *plan_deb_name(const struct plan_package *p);

#endif

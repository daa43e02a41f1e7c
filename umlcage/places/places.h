/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The places of the host that a cage works on: the root it boots on, where changes to that
 * go (memory, a scratch share, changes kept by name, a copy that becomes a root, a COW file,
 * the root itself), and the folders that are mounted in it.
 *
 *	struct places_options o = PLACES_OPTIONS_INIT;	filled by places_opts
 *	struct places p = PLACES_INIT;
 *	places_check(&o, made, e);		before any work
 *	root_resolve(&spec, o.root, ...);	what o.root is, made if need be
 *	places_open(&p, &o, &spec, &cfg, e);	locks, opens, fills the cage's configuration
 *	places_up(&p);				the cage is up: what it changes is kept
 *	... the cage runs and is stopped ...
 *	places_finish(&p, succeeded, e);
 *	places_close(&p);
 */
#ifndef UMLCAGE_PLACES_PLACES_H
#define UMLCAGE_PLACES_PLACES_H

#include <stdbool.h>
#include <stddef.h>

#include "hostfs-bridge/roots/roots.h"
#include "hostfs-bridge/share/share.h"
#include "umlcage/base/error.h"
#include "umlcage/base/opts.h"
#include "umlcage/base/str.h"
#include "umlcage/cage/cage.h"

struct places_options {
	const char *root;	/* as of --root: a path, or a name of the kept ones */
	const char *cow, *keep, *commit, *scratch, *fstype, *owner;
	const char *snapshot;	/* "SESSION/NAME": the changes to begin with */
	const char *commit_path;	/* where the share is made that --commit would name; no option */
	struct strv shares, binds;	/* "HOSTDIR:GUESTDIR[:ro]", "HOST:GUEST[:ro]" */
	bool writable, sync;
};

#define PLACES_OPTIONS_INIT { .root = "default" }

extern const struct opt places_opts[];
void places_options_release(struct places_options *o);

/* Everything of the host that a cage was given; closed by places_close(). */
struct places {
	struct share root, upper;
	struct share_stage commit;	/* the new root of --commit, a copy that is written */
	bool root_written;
	int image, cow;
	char *image_path;
	char *scratch_dir;	/* removed at the end */
	char *made;		/* kept changes that are new, until there is a cage */
	struct share *shares;	/* of mounts with recorded ownership */
	size_t nshares;
	struct cage_mount *mounts;
	char **wheres;
	size_t nmounts;
};

#define PLACES_INIT { .root = SHARE_INIT, .upper = SHARE_INIT, .image = -1, .cow = -1, \
		      .commit = SHARE_STAGE_INIT }

/*
 * Refuses what can be seen to be wrong before anything is built, made or opened: usage
 * errors, -ENOENT for what is not there.  @made: the root is one that is made on first use.
 */
int places_check(const struct places_options *o, bool made, struct error *e);
/*
 * Opens and locks the root @spec and the folders as @o asks, and fills the parts of @cfg that
 * name them.  -EBUSY while another cage has them, and as share_open() and changes_bind().
 */
int places_open(struct places *p, const struct places_options *o, const struct root_spec *spec,
		struct cage_config *cfg, struct error *e);
/* There is a cage on them.  Before that, kept changes that are new are removed by places_close(). */
void places_up(struct places *p);
/* After a clean stop: marks what was written as clean; stores a committed root if @succeeded. */
int places_finish(struct places *p, bool succeeded, struct error *e);
/* Closes everything; what was not finished is removed, or stays marked. */
void places_close(struct places *p);

#endif

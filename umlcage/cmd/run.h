/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What "umlcage run" and "umlcage shell" are asked for, and the root it opens for that. */
#ifndef UMLCAGE_CMD_RUN_H
#define UMLCAGE_CMD_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "hostfs-bridge/pack/pack.h"
#include "hostfs-bridge/share/share.h"
#include "umlcage/base/str.h"
#include "umlcage/cage/cage.h"
#include "umlcage/machine/machine.h"

struct run_options {
	struct machine machine;
	const char *root, *user, *workdir, *cow, *keep, *commit, *scratch, *hostname;
	const char *fstype, *mirror;
	struct strv shares, binds;
	uint64_t timeout;
	bool writable, tty, no_tty, interactive, quiet, print_command, sync;
	int verbose;
};

/* Everything of the host that a cage was given; closed by run_places_close(). */
struct run_places {
	struct share root, upper;
	struct share_stage commit;	/* the new root of --commit, a copy that is written */
	bool root_written;
	int image, cow;
	char *image_path;
	char *scratch_dir;	/* removed at the end */
	struct share *shares;	/* of mounts with recorded ownership */
	size_t nshares;
	struct cage_mount *mounts;
	char **wheres;
	size_t nmounts;
};

/* Refuses what can be seen to be wrong before anything is built, made or opened. */
int run_places_check(const struct run_options *o, struct error *e);
/*
 * Opens roots and shares as @o asks and fills the parts of @cfg that name them.  1: the root
 * cannot be made, and it was said why.
 */
int run_places_open(struct run_places *p, const struct run_options *o, struct cage_config *cfg,
		    struct progress *progress, struct error *e);
/* After a clean stop: marks what was written as clean; stores a committed root if @succeeded. */
int run_places_finish(struct run_places *p, bool succeeded, struct error *e);
void run_places_close(struct run_places *p);

#endif

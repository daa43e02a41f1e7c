/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carrying out a plan: fetch and unpack natively, configure in a cage, clean up,
 * export.  The result is what mmdebstrap in root mode makes with the same options.
 */
#ifndef ROOTFS_FABRICATE_H
#define ROOTFS_FABRICATE_H

#include "hostfs-bridge/share/share.h"
#include "rootfs/cache/cache.h"
#include "rootfs/options/options.h"
#include "rootfs/plan/plan.h"
#include "umlcage/base/error.h"
#include "umlcage/base/progress.h"
#include "umlcage/machine/machine.h"

/* Milliseconds that each stage took, for the closing summary, and what came of it. */
struct fabricate_times {
	int64_t unpack;		/* fetching and unpacking, overlapped */
	int64_t boot;
	int64_t configure;	/* everything in the cage */
	int64_t cleanup;
	int64_t export;		/* with the removal of the tree */
	int64_t total;
	struct strv secrets;	/* see tree_secrets(); to be released */
	size_t packages;
	bool replanned;		/* setup hooks changed the sources: the recipe is not this one */
};

/*
 * Makes o->target from @plan, whose packages are fetched through @a.  The target appears
 * whole or not at all; a former one stays as it was after any error.  @kernel is the
 * path of the kernel of @machine.  On failure in the cage the last lines of its output have
 * gone to @progress.
 */
int fabricate_run(struct fab_options *o, const struct plan *plan, struct debian_archive *a,
		  const struct machine *machine, const char *kernel, struct progress *progress,
		  struct fabricate_times *times, struct error *e);

/* Does the plan need a cage at all (and so a kernel)? */
bool fabricate_needs_cage(const struct fab_options *o, const struct plan *plan);

/*
 * A whole fabrication, from options to target: indexes, cache of finished trees,
 * plan, kernel, fabricate_run().  What `umlcage fabricate` does, for other commands too.
 */

/*
 * Makes o->target on @machine (checked); @o must be resolved.  -EINVAL with a usage error for what cannot be
 * had, -EINTR after a signal (which then is raised again).
 */
int fabricate_request(struct fab_options *o, const struct machine *machine,
		      struct progress *progress, struct error *e);

/*
 * A root with tools in it: minbase of @suite (NULL: the host's own release if its mirror
 * has one, else stable) and @include, kept in the cache under those words until pruned, and
 * made anew when it is older than FABRICATE_TOOLS_AGE seconds; where that fails the old one
 * is used, with a warning.  @mirror as of `umlcage fabricate`, may be NULL; @machine too.
 * *@path is malloc'ed: a share.
 */
/* Roots that are made when they are first asked for by name, unless the user keeps others. */
struct fabricate_root {
	const char *name, *include;
};
extern const struct fabricate_root fabricate_roots[];	/* ends with a NULL name */
/* Where it is in the cache, malloc'ed; NULL if it has not been made. */
char *fabricate_root_find(const struct fabricate_root *r);

#define FABRICATE_TOOLS_AGE (7 * 24 * 3600)
/* When it was made, in seconds since the epoch, on the share's directory. */
#define FABRICATE_MADE_XATTR CACHE_MADE_XATTR
int fabricate_tools_root(const char *suite, const char *include, const char *mirror,
			 const struct machine *machine, struct progress *progress, char **path,
			 struct error *e);

/*
 * A root of the cache for cages to use in place, under overlays: what @o describes, kept under
 * @what, the suite and everything it was made from, until that changes.  Two calls, since sources
 * are resolved and indexes read in between:
 *
 *	fabricate_kept_prepare(o, e);	says where it is made
 *	fab_options_resolve(o, ...); plan_open_archive(o, ..., &a, ...); debian_archive_update(a, e);
 *	fabricate_kept_root(o, "buildd", machine, kernel, a, ..., &path, e);
 *
 * *@path is malloc'ed: a share.  Who opens it keeps it from being pruned.
 */
int fabricate_kept_prepare(struct fab_options *o, struct error *e);
int fabricate_kept_root(struct fab_options *o, const char *what, const struct machine *machine,
			const struct kernel_info *kernel, struct debian_archive *a,
			struct progress *progress, char **path, struct error *e);
/* Notes on the root at @path that it was made now. */
int fabricate_note_time(const char *path, struct error *e);

/* It is to be made anew, and no kept changes need it as it is. */
bool fabricate_tools_old(const char *path);
/*
 * Where it is or would be: 1 if it is to be made, first or again.  Without @check it may be
 * one that is there and damaged: see root_check_sealed().
 */
int fabricate_tools_find(const char *suite, const char *include, bool check, char **path,
			 struct error *e);
/* The packages of a root that is made when it is first asked for, "default" or "tools"; NULL. */
const char *fabricate_tools_named(const char *name);

/* A tool that wants root, for who runs it in a cage on a root with its packages. */
struct fabricate_tool {
	const char *name, *what;
	const char *packages;
	const char *suite;	/* that they are of; NULL: the host's release */
	const char *before;	/* of a shell: what has to be there before it runs; NULL: nothing */
	const char *script;	/* of a shell, with the arguments as its own: runs it in the user's folder */
	uint64_t memory;	/* bytes; 0: as any cage */
	bool own;		/* a command of umlcage, which has its name, does it all */
	bool full;		/* needs the full kernel */
	bool disk;		/* works on more than memory holds: on a disk thrown away */
};

extern const struct fabricate_tool fabricate_tool_table[];	/* ends with a NULL name */
/* Of a shell: before any of them. */
extern const char fabricate_tool_before[];
/* NULL, with a usage error: there is none of that name. */
const struct fabricate_tool *fabricate_tool_find(const char *name, struct error *e);

/* VERSION_CODENAME of a Debian host, else "stable"; malloc'ed. */
char *fabricate_host_suite(void);

/*
 * A share for the time of one fabrication, in the user's cache.  It is gone when the
 * fabrication ends; what a killed one left is removed by the next.
 */

struct work {
	struct share share;
	char *path;		/* NULL: none */
};

#define WORK_INIT { SHARE_INIT, NULL }

int work_begin(struct work *w, struct error *e);
/* Closes the share and removes it. */
void work_end(struct work *w);
#define cleanup_work __attribute__((cleanup(work_end)))

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finished results by recipe, so that an unchanged request is a copy; and what else the
 * user's cache holds, for listing and pruning.
 *
 *	$XDG_CACHE_HOME/umlcage/trees/KEY/manifest	what it is, and the sha256 of each file
 *	$XDG_CACHE_HOME/umlcage/trees/KEY/file.FORM	an output: file.tar.zst, file.cpio, ...
 *	$XDG_CACHE_HOME/umlcage/trees/KEY/share/	the tree as a directory, sealed (share.h)
 *
 * One tree has several outputs: a request for another format of it is answered from its
 * directory or a tar file, which say all of it.  Whatever does not match its checksum or
 * seal is not used.
 *
 * An entry appears by one rename.  Its directory is locked (flock) while it is read, so
 * that pruning leaves it alone.
 */
#ifndef ROOTFS_CACHE_H
#define ROOTFS_CACHE_H

#include <stdint.h>

#include "rootfs/debian/debian.h"
#include "rootfs/options/options.h"
#include "umlcage/base/error.h"
#include "umlcage/base/progress.h"

/* ---- recipes: recipe.c ---- */

/*
 * Everything a finished tree depends on, as one hash: the indexes, the options,
 * what hooks and local packages contain, the host's files that are copied in, the
 * kernel, and the program itself.  The target's format is not part of it.  Two requests with
 * one recipe have one tree.
 */

struct recipe {
	char key[65];	/* sha256 in hexadecimal; "" where nothing may be kept */
};

/*
 * @kernel: what tells kernels apart, its key or path (NULL: no cage is needed).  @network: what of
 * it hooks, and with o->net scripts, may reach: machine_network().  Where a hook does something
 * outside the tree (copy-out, download, ...) or input cannot be read twice, there is no key.
 */
int recipe_make(const struct fab_options *o, const struct debian_archive *a, const char *kernel,
		const char *network, struct recipe *recipe, struct error *e);

/* What tells one build of this program from another; nothing if it does not know. */
void cache_program_id(struct strbuf *id);

/* ---- finished trees: trees.c ---- */

/*
 * Makes o->target from the cache: 1; 0 if the cache has nothing (or something damaged).
 * *@converted: from another format of the same tree.
 */
int tree_cache_deliver(const struct recipe *recipe, struct fab_options *o,
		       struct progress *progress, bool *converted, struct error *e);
/*
 * Keeps the finished o->target under its recipe, @converted beside the tree's other
 * outputs; the oldest trees go to make room.
 */
int tree_cache_store(const struct recipe *recipe, const struct fab_options *o, bool converted,
		     struct error *e);

/*
 * Adds the names of files that hold keys made when the tree was: host keys of ssh, the
 * snakeoil key, a machine-id, ...  Two builds must not share them unless the user says so, and
 * such a tree is not kept then.
 */
void tree_secrets(int rootfd, struct strv *found);

/* Bytes of finished trees that are kept without being told otherwise. */
#define TREE_CACHE_MAX (16ull << 30)

/* Of roots with tools: seconds since the epoch, when they were made. */
#define CACHE_MADE_XATTR "user.containers.umlcage_made"

/* "trees", "archives" and so on: folders of the cache whose entries may go.  NULL ends it. */
extern const char *const cache_kinds[];

struct cache_item {
	const char *kind;	/* of cache_kinds */
	char *name;		/* below the kind's folder */
	char *what;		/* for people, "" if there is nothing to say */
	uint64_t bytes;		/* on the disk */
	int64_t used;		/* seconds since the epoch */
};

struct cache_items {
	struct cache_item *v;	/* least recently used first */
	size_t n;
};

int cache_list(struct cache_items *items, struct error *e);
void cache_items_release(struct cache_items *items);
/*
 * Removes what has not been used for @max_age seconds (0: whatever its age), and then the
 * least recently used until at most @max_bytes are left (UINT64_MAX: no limit) of @kind
 * (NULL: of everything).  What is in use stays, and so do roots whose changes are kept (run
 * --keep): @held of them.  Adds up what went.
 */
int cache_prune(const char *kind, uint64_t max_bytes, int64_t max_age, uint64_t *bytes,
		size_t *count, size_t *held, struct error *e);

#endif

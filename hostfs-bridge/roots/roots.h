/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What may follow --root: a share's directory, a filesystem image, an archive or an image of
 * containers (imported once into the cache, by its contents), or the name of a root the user
 * keeps, which is a share in the data directory's roots/.
 */
#ifndef UMLCAGE_SHARE_ROOTS_H
#define UMLCAGE_SHARE_ROOTS_H

#include <stdint.h>

#include "hostfs-bridge/pack/pack.h"
#include "umlcage/base/error.h"
#include "umlcage/base/progress.h"
#include "umlcage/base/str.h"

enum root_kind {
	ROOT_SHARE,	/* .path is a share: share_open() it */
	ROOT_IMAGE,	/* .path is an image of .fstype */
};

struct root_spec {
	enum root_kind kind;
	char *path;
	char *name;		/* of a kept root, else NULL */
	bool cached;		/* unpacked from an archive: not for writing to */
	int archive;		/* open, of root_find(); -1 */
	const char *fstype;	/* of an image: "ext4", "xfs", ...; NULL: unknown */
};

#define ROOT_SPEC_INIT { ROOT_SHARE, NULL, NULL, false, -1, NULL }

/*
 * A word without a slash is looked for among the kept roots first, then as a path.
 * -ENOENT if there is neither, -EINVAL for a file that is none of the kinds.  May take
 * long (importing): shows it on @progress, may be NULL.
 */
int root_resolve(struct root_spec *r, const char *arg, struct progress *progress,
		 struct error *e);
/*
 * The same but for importing: 1 if the share r->path has to be made of r->archive first.
 * Without @check it may be one that is there and damaged: see root_check_sealed().
 */
int root_find(struct root_spec *r, const char *arg, bool check, struct progress *progress,
	      struct error *e);
/*
 * Is the share @path of the cache there, as it was made?  0, -ENOENT, -ESTALE.  Looks at every
 * entry of it: 20 ms and more, which a cage can boot in.
 */
int root_check_sealed(const char *path);
void root_release(struct root_spec *r);
#define cleanup_root_spec __attribute__((cleanup(root_release)))

/* ROOT_IMAGE's fstype, -ENOMEDIUM for a partition table, NULL in *@fstype if unknown. */
int root_sniff_image(int fd, const char *path, const char **fstype, struct error *e);

/* Is it a file system that can only be read?  @fstype may be NULL. */
bool root_read_only(const char *fstype);

/* What is kept by name: roots, and changes that cages made of a root (run --keep). */
enum root_store { STORE_ROOTS, STORE_CHANGES };

/* Names: letters, digits, '.', '_', '-', the first no sign; at most 64. */
int root_check_name(const char *name, struct error *e);
/* Where what has that name is or would be; malloc'ed. */
int root_path(enum root_store store, const char *name, char **path, struct error *e);
/* The names, sorted. */
int root_names(enum root_store store, struct strv *names, struct error *e);
/*
 * An archive, an image of containers (see oci.h: a layout, or an archive of one), or a copy of a
 * share, as the new root @name; -EEXIST if there is one.  @tag chooses among several images; NULL:
 * there is one.  Where all of an archive is in one folder that looks like a root, that is taken
 * for it.
 */
int root_import(const char *name, const char *archive, const struct share_import_opts *opts,
		const char *tag, struct share_totals *totals, struct error *e);
/* -EBUSY while a cage uses it or, unless @force, while changes of it are kept; -ENOENT. */
int root_remove(enum root_store store, const char *name, bool force, struct error *e);
int root_rename(enum root_store store, const char *from, const char *to, struct error *e);
/* -ENOENT for what has no such name, in words. */
int root_absent(enum root_store store, const char *name, struct error *e);

/* The folder below STATE/umlcage that snapshots are in, see umlcage/snapshot/snapshot.h. */
#define ROOTS_SNAPSHOTS "snapshots"

/*
 * Changes are made of one root, and worth nothing on another: they know it by its id (see
 * share_id()), whatever it is called now, and by its path, for people.
 */

/*
 * The changes in @layer, kept as @name, are used on @root: new ones are from now on of that
 * root; -EINVAL for those of another, -ESTALE if it was written to or made anew since.
 */
int changes_bind(const struct share *layer, const char *name, struct share *root, struct error *e);
/* Where the root is whose changes these are, malloc'ed; NULL if unknown. */
char *changes_root(int fd);
/* Names of the changes that are kept of @root; "SESSION/NAME" of those in snapshots of sessions. */
void changes_of(const struct share *root, struct strv *names);
/* -EBUSY with their names if there are any: "removing it" would leave them worthless. */
int changes_refuse(const struct share *root, const char *what, struct error *e);

#endif

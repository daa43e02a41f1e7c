/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What may follow --root: a share's directory, a filesystem image, an archive (imported
 * once into the cache, by its contents), or the name of a root the user keeps, which is a
 * share in the data directory's roots/.
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
	const char *fstype;	/* of an image: "ext4", "xfs", ...; NULL: unknown */
};

#define ROOT_SPEC_INIT { ROOT_SHARE, NULL, NULL, false, NULL }

/*
 * A word without a slash is looked for among the kept roots first, then as a path.
 * -ENOENT if there is neither, -EINVAL for a file that is none of the kinds.  May take
 * long (importing): shows it on @progress, may be NULL.
 */
int root_resolve(struct root_spec *r, const char *arg, struct progress *progress,
		 struct error *e);
void root_release(struct root_spec *r);
#define cleanup_root_spec __attribute__((cleanup(root_release)))

/* ROOT_IMAGE's fstype, -ENOMEDIUM for a partition table, NULL in *@fstype if unknown. */
int root_sniff_image(int fd, const char *path, const char **fstype, struct error *e);

/* What is kept by name: roots, and changes that cages made of a root (run --keep). */
enum root_store { STORE_ROOTS, STORE_CHANGES };

/* Names: letters, digits, '.', '_', '-', the first no sign; at most 64. */
int root_check_name(const char *name, struct error *e);
/* Where what has that name is or would be; malloc'ed. */
int root_path(enum root_store store, const char *name, char **path, struct error *e);
/* The names, sorted. */
int root_names(enum root_store store, struct strv *names, struct error *e);
/* An archive as the new root @name; -EEXIST if there is one. */
int root_import(const char *name, const char *archive, const struct share_import_opts *opts,
		struct share_totals *totals, struct error *e);
/* -EBUSY while a cage uses it, -ENOENT. */
int root_remove(enum root_store store, const char *name, struct error *e);
int root_rename(enum root_store store, const char *from, const char *to, struct error *e);
/* -ENOENT for what has no such name, in words. */
int root_absent(enum root_store store, const char *name, struct error *e);

/*
 * Changes are made of one root, and worth nothing on another.  The first makes the changes in
 * @fd those of the root @path; the second returns whose they are, malloc'ed, NULL if unknown.
 */
int changes_set_root(int fd, const char *path, struct error *e);
char *changes_root(int fd);

#endif

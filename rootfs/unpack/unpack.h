/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Native unpacking: the contents of packages straight into a share, by any number of
 * threads at once, with the result that mmdebstrap's two stages leave (the first: tar,
 * then dpkg --install; the second: dpkg --unpack).
 *
 * What dpkg would unpack only after scripts and hooks have run is staged: unpacked into a
 * share of its own while they run, and put in place when it is due (unpack_merge()).
 *
 * Packages may arrive in any order.  What depends on their order is decided by their
 * index: metadata of shared directories, files that several packages have.  Where
 * packages get in each other's way all is unpacked once more, one after the other.
 */
#ifndef ROOTFS_UNPACK_H
#define ROOTFS_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hostfs-bridge/share/share.h"
#include "rootfs/deb/deb.h"
#include "umlcage/base/error.h"
#include "umlcage/base/str.h"

struct unpack_config {
	int rootfd;			/* of the share; stays the caller's */
	struct deb_readers *readers;	/* stay the caller's */
	size_t n;			/* packages */
	size_t nbase;			/* the first of them: stage one */
	const struct strv *filters;	/* dpkg's "path-exclude=GLOB", "path-include=GLOB"; or NULL */
	const struct strv *dirs;	/* directories that were there before, without a leading "/" */
	/* symbolic links at the top ("bin"), to "usr/" and the name: they and what they lead to
	 * are there already */
	const struct strv *links;
	bool usrmerge;			/* the links are usrmerge's: as it converts, not as dpkg links */
	bool plain;			/* only contents: no database, every package to the end */
	bool staged;			/* for unpack_merge(): no database yet; nbase is 0 */
	/* A new descriptor of package @index, at offset 0, for when it must be read again. */
	int (*reopen)(void *arg, size_t index, struct error *e);
	void *reopen_arg;
};

/* An entry whose owners a package names, other than root. */
struct unpack_owner {
	char *path;
	char *user, *group;	/* NULL: the number alone */
	uint32_t uid, gid;
};

/* A package as it was found. */
struct unpacked {
	bool read;		/* the rest is valid */
	bool native;		/* its contents are there; false: left to dpkg in the cage */
	bool postinst;		/* to configure it runs a script */
	bool summed;		/* its md5sums are made here, as it brings none */
	struct deb_facts *facts;
	char (*sums)[33];	/* MD5, of the conffiles; "" until they were seen in the contents */
	char *spec;		/* what dpkg calls its files in info/: "bash", "libc6:amd64" */
	char *full;		/* "bash:amd64" */
	struct strv list;	/* dpkg's names of its contents, in order */
	struct strv info;	/* the control files that dpkg keeps, "postinst" */
	struct unpack_owner *owners;
	size_t nowners;
};

struct unpack;

struct unpack *unpack_new(const struct unpack_config *cfg);
/*
 * Unpacks package @index, open at @fd (the caller's).  Any thread.  A package of the second
 * stage whose preinst would do something is only read: it must see the system as it
 * was before its contents.
 */
int unpack_package(struct unpack *u, size_t index, int fd, const char *label, struct error *e);
/*
 * When all have been unpacked: settles what several packages wanted, and writes the
 * database of those that are there.  -EEXIST, in dpkg's words, for a file of two packages
 * neither of which says that it replaces the other.
 */
int unpack_finish(struct unpack *u, struct error *e);
/* The one at @index of an array of all. */
const struct unpacked *unpack_get(const struct unpack *u, size_t index);
/* Was everything unpacked a second time? */
bool unpack_was_repeated(const struct unpack *u);
void unpack_free(struct unpack *u);

/*
 * Puts the @n staged packages @pkgs, one after the other, into the tree at @rootfd (the
 * caller's) and its database, as dpkg --unpack would now: through the links that are there,
 * leaving directories as they are, with the owners that the tree's passwd and group give
 * to names, without what its dpkg.cfg.d excludes; file triggers are noted for dpkg.  The stage
 * must be on the same filesystem, and no cage may run on the tree.
 *
 * Packages that meet what dpkg has more rules for (a file in the way, a diversion, an
 * override, an option) are left in the stage: unpack_get()->native is false afterwards.
 */
int unpack_merge(struct unpack *u, int rootfd, const size_t *pkgs, size_t n, struct error *e);

/*
 * dpkg's database, /var/lib/dpkg, written as dpkg --unpack leaves it: status, info/,
 * triggers/.  Formats: deb-control(5), deb-triggers(5), dpkg's doc/triggers.txt.
 */

/*
 * Enters those of the @n packages that are native, in the state "unpacked": stanzas in
 * status, lists of contents, interests in triggers.
 */
int dpkg_db_write(struct share_tree *tree, const struct unpacked *pkgs, size_t n,
		  struct error *e);
/* Adds those of @pkgs to what is there, in their order. */
int dpkg_db_add(struct share_tree *tree, const struct unpacked *const *pkgs, size_t n,
		struct error *e);
/*
 * Brings the interests in triggers into the order of the packages, as if all had been
 * unpacked in it; those of other packages stay behind them.
 */
int dpkg_db_sort_triggers(struct share_tree *tree, const struct unpacked *const *pkgs, size_t n,
			  struct error *e);

#endif

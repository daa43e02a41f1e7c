/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dpkg's database, /var/lib/dpkg, written as dpkg --unpack leaves it: status, info/,
 * triggers/.  Formats: deb-control(5), deb-triggers(5), dpkg's doc/triggers.txt.
 */
#ifndef ROOTFS_DPKG_DB_H
#define ROOTFS_DPKG_DB_H

#include <stddef.h>

#include "hostfs-bridge/lib/tree.h"
#include "rootfs/unpack.h"
#include "umlcage/base/error.h"
#include "umlcage/base/str.h"

/*
 * Enters those of the @n packages that are native, in the state "unpacked": stanzas in
 * status, lists of contents, interests in triggers.
 */
int dpkg_db_write(struct share_tree *tree, const struct unpacked *pkgs, size_t n,
		  struct error *e);
/*
 * Brings the interests in triggers into the order of the packages, as if all had been
 * unpacked in it; those of other packages stay behind them.
 */
int dpkg_db_sort_triggers(struct share_tree *tree, const struct unpacked *pkgs, size_t n,
			  struct error *e);
/* A package's stanza of status, as dpkg would write it. */
int dpkg_stanza(const struct unpacked *p, struct strbuf *out, struct error *e);
/* The paths a package's triggers file is interested in, for file triggers alone. */
void dpkg_file_interests(const struct unpacked *p, struct strv *paths);

#endif
